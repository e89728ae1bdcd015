"""`memery models pull` against a hub on the loopback address, with everything that goes wrong."""

import hashlib
import json
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from memery.errors import ModelError
from support.commands import hub_environment, run_command, run_process, run_python
from support.servers.hub import Hub, Repository, blob_id, serving

NAME = "someone/tiny-clip"
NETWORKS = ("onnx/vision_model.onnx", "onnx/text_model.onnx")


PULL = """
from memery.gateway.cli.console import handle_errors, Console
from memery.models import hub
@handle_errors
def pull():
    print(hub.pull({name!r}, None).commit)
Console(quiet=False, verbose=False)
pull()
"""


def file_of(size, seed):
    return random.Random(seed).randbytes(size)


@pytest.fixture
def hub():
    files = {
        "config.json": b"{}",
        "README.md": b"words",
        "weights.bin": b"a pickle",
        NETWORKS[0]: file_of(900_000, 1),
        NETWORKS[1]: file_of(300_000, 2),
    }
    with serving(Hub({NAME: Repository(files)})) as hub:
        yield hub


@pytest.fixture
def environment(hub, tmp_path):
    return hub_environment(tmp_path, hub.url)


@pytest.fixture
def pull(environment):
    """Pull with the library: the files of these tests are no models that could be looked at."""

    def pull(name=NAME, check=0, before=None, **more):
        options = {"env": environment | more, "preexec_fn": before}
        done = run_python("-c", PULL.format(name=name), check=check, **options)
        return done.stderr if check else done.stdout.strip()

    return pull


def record(tmp_path):
    files = list((tmp_path / "data" / "memery" / "models").glob("*.json"))
    return json.loads(files[0].read_text()) if files else None


def memery(environment, *words, check=0):
    done = run_command(*words, check=check, env=environment)
    return done.stdout + done.stderr


def test_verifies_and_records_every_file(pull, hub, environment, tmp_path):
    assert pull() == "c" * 40
    written = record(tmp_path)
    assert written["commit"] == "c" * 40
    assert sorted(written["files"]) == ["config.json", *sorted(NETWORKS)]
    for path, facts in written["files"].items():
        content = hub.repositories[NAME].files[path]
        assert facts == {
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    assert written["folder"].startswith(str(tmp_path / "hf"))
    assert "all files match" in memery(environment, "models", "verify", NAME)
    (path,) = (tmp_path / "hf").glob("hub/models--*/snapshots/*/onnx/text_model.onnx")
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.resolve().write_bytes(content)
    assert "text_model.onnx is not the file" in memery(
        environment, "models", "verify", NAME, check=4
    )
    assert "free again" in memery(environment, "models", "remove", NAME, "--yes")
    assert record(tmp_path) is None
    assert not list((tmp_path / "hf").glob("hub/models--*/blobs/*"))


@pytest.mark.parametrize(
    "share", [0.1, *(pytest.param(share, marks=pytest.mark.slow) for share in (0.5, 0.9))]
)
def test_resumes_after_a_cut_connection(pull, hub, tmp_path, share):
    hub.cut = {NETWORKS[0]: [share] * 30}
    message = pull(check=4)
    assert "Run the command again to resume" in message
    assert record(tmp_path) is None
    hub.cut.clear()
    hub.requests.clear()
    pull()
    assert record(tmp_path)["commit"] == "c" * 40
    (asked,) = [h["range"] for _, path, h in hub.requests if "/cdn/" in path and "range" in h]
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    assert 0 < 900_000 * share - start < 65_536


@pytest.mark.parametrize("file", ["config.json", NETWORKS[0]])
def test_wrong_hash_installs_nothing_and_a_second_pull_succeeds(pull, hub, tmp_path, file):
    right = hub.repositories[NAME].files[file]
    hub.swapped = {file: bytes(len(right))}
    assert f"download of {file} of {NAME} is damaged" in pull(check=4)
    assert record(tmp_path) is None
    hub.swapped.clear()
    pull()
    assert record(tmp_path)["files"][file]["sha256"] == hashlib.sha256(right).hexdigest()


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([(401, {})] * 9, "HF_TOKEN"),
        ([(403, {"X-Error-Code": "GatedRepo"})] * 9, "HF_TOKEN"),
        ([(404, {"X-Error-Code": "RepoNotFound"})] * 9, "has no"),
        ([(429, {"Retry-After": "900"})] * 9, "limits the rate"),
        ([(500, {})] * 9, "(500)"),
    ],
)
def test_explains_errors_of_the_hub(pull, hub, tmp_path, answers, message):
    hub.answers = answers
    assert message in pull(check=4)
    assert record(tmp_path) is None


def test_waits_as_long_as_the_hub_asks(pull, hub):
    hub.answers = [(429, {"Retry-After": "1"}), (429, {"Retry-After": "1"})]
    started = time.monotonic()
    pull()
    assert time.monotonic() - started > 1
    assert not hub.answers


def test_downloads_equal_files_once(pull, hub, tmp_path):
    files = hub.repositories[NAME].files
    copies = [f"onnx/copy{number}.onnx" for number in range(6)]
    files |= dict.fromkeys(copies, files[NETWORKS[0]])
    pull()
    assert set(copies) < set(record(tmp_path)["files"])
    fetched = [path for method, path, _ in hub.requests if method == "GET" and "/cdn/" in path]
    assert len(fetched) == len(set(fetched)) == 2


def test_names_missing_repository(pull, tmp_path):
    assert "has no someone/else" in pull("someone/else", check=4)
    assert "not the name of a repository" in pull("some one/else", check=4)


def test_explains_missing_network_and_offline_mode(pull, environment):
    assert "could not be downloaded" in pull(check=4, HF_ENDPOINT="http://127.0.0.1:9")
    assert "HF_HUB_OFFLINE" in pull(check=4, HF_HUB_OFFLINE="1")


SMALL_DISK = """
mount -t tmpfs -o size=1m none "$2" || exit 99
HF_HOME="$2" "$0" -c "$1"; echo "small: $?"
umount "$2"; mount -t tmpfs -o size=24m none "$2" || exit 99
HF_HOME="$2" "$0" -c "$1" & pull=$!
while kill -0 $pull 2> /dev/null && ! ls "$2"/hub/*/blobs/*.memery > /dev/null 2>&1; do
    sleep 0.05
done
cat /dev/zero > "$2/filler" 2> /dev/null
wait $pull; echo "filled: $?"
rm "$2/filler"
HF_HOME="$2" "$0" -c "$1"; echo "roomy: $?"
"""


def test_reports_full_disk_and_continues_later(environment, hub, tmp_path, mount_namespace):
    """A real small disk, in a separate mount namespace: full before, and in the middle."""
    hub.pause = 0.1
    (tmp_path / "disk").mkdir()
    code = PULL.format(name=NAME)
    arguments = (sys.executable, code, tmp_path / "disk")
    done = run_process([*mount_namespace, "sh", "-c", SMALL_DISK, *arguments], env=environment)
    assert done.stdout.splitlines() == ["small: 4", "filled: 4", "c" * 40, "roomy: 0"]
    assert "MB more" in done.stderr
    assert "disk is full" in done.stderr


def test_reports_limit_on_the_size_of_files(pull, tmp_path):
    def limit():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    message = pull(check=4, before=limit)
    assert "could not be downloaded" in message
    assert record(tmp_path) is None
    pull()


def test_two_pulls_at_once_both_succeed(environment, hub, tmp_path):
    hub.pause = 0.02
    code = f"from memery.models import hub; hub.pull({NAME!r}, None)"
    pulls = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(2)]
    assert [pull.wait() for pull in pulls] == [0, 0]
    assert record(tmp_path)["commit"] == "c" * 40


def test_killed_pull_leaves_nothing_half_installed(pull, environment, hub, tmp_path):
    hub.pause = 0.3
    code = f"from memery.models import hub; hub.pull({NAME!r}, None)"
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as killed:
        while not any(path.startswith("/cdn") for _, path, _ in hub.requests):
            time.sleep(0.05)
        time.sleep(0.5)
        killed.kill()
    assert record(tmp_path) is None
    hub.pause = 0.0
    pull()
    assert record(tmp_path)["commit"] == "c" * 40


def test_only_the_next_pull_follows_a_moved_branch(pull, hub, environment, tmp_path):
    pull()
    hub.repositories[NAME].commit = "d" * 40
    hub.requests.clear()
    memery(environment, "models", "verify", NAME)
    assert hub.requests == []
    assert record(tmp_path)["commit"] == "c" * 40
    pull()
    assert record(tmp_path)["commit"] == "d" * 40


def test_sends_token_only_to_the_hub(pull, hub, capfd):
    pull(HF_TOKEN="hf_secret")
    for _, path, headers in hub.requests:
        expected = None if path.startswith("/cdn/") else "Bearer hf_secret"
        assert headers.get("authorization") == expected, path
    assert "hf_secret" not in capfd.readouterr().err


def test_does_not_send_saved_login(pull, hub, tmp_path):
    """Nor anything that says who asks: a registry of agents, versions of other libraries."""
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text("hf_saved")
    pull(AGENT="someone")
    for _, path, headers in hub.requests:
        assert "authorization" not in headers
        assert NAME in path
        assert re.fullmatch(r"unknown/None; hf_hub/[\d.]+; python/[\d.]+", headers["user-agent"])


@pytest.fixture
def outside(tmp_path):
    """All that lies about, to be found as it was: the cache's parent, and more."""
    (tmp_path / "hf" / "hub").mkdir(parents=True)
    for place in (tmp_path, tmp_path / "hf", tmp_path / "hf" / "hub"):
        (place / "victim").write_text("precious")

    def everything():
        own = tmp_path / "hf" / "hub" / "models--someone--tiny-clip"
        lock = tmp_path / "data" / "memery" / "models"
        return {
            str(path): path.read_bytes() if path.is_file() else None
            for path in tmp_path.rglob("*")
            if not path.is_relative_to(own) and not path.is_relative_to(tmp_path / "data")
        } | {"records": sorted(str(path) for path in lock.glob("*.json"))}

    return everything


def lfs(sha256):
    return {"lfs": {"sha256": sha256, "size": 900_000, "pointerSize": 130}}


def small(blob, size=8):
    return {"blobId": blob, "size": size}


# Whatever is broken, this stays within the test's own folder: that is what /ABSOLUTE becomes.
HOSTILE = {
    "commit that leads out": {"commit": "../../../../x"},
    "commit that is absolute": {"commit": "/ABSOLUTE/x"},
    "commit that is short": {"commit": "c" * 39},
    "commit that is a number": {"commit": 7},
    "no commit": {"commit": None},
    "hash that leads to a file": {"config.json": small("../../../victim")},
    "hash of a large file": {NETWORKS[0]: lfs("../../../../victim")},
    "hash that is absolute": {NETWORKS[0]: lfs("/ABSOLUTE/victim")},
    "hash with a slash": {"config.json": small("a/" + "b" * 38)},
    "hash that is a number": {NETWORKS[0]: lfs(7)},
    "hash with NUL": {"config.json": small("\0" * 40)},
    "no hash": {"config.json": {"blobId": None}},
    "size below zero": {"config.json": {"size": -1}},
    "size that is text": {"config.json": {"size": "many"}},
    "size beyond disks": {NETWORKS[0]: {"size": 1 << 60}},
    "name that leads out": {NETWORKS[0]: {"rfilename": "../../../../x.onnx"}},
    "name that leads out and back": {NETWORKS[0]: {"rfilename": "onnx/../../x.onnx"}},
    "name that is absolute": {NETWORKS[0]: {"rfilename": "/ABSOLUTE/x.onnx"}},
    "name with NUL": {NETWORKS[0]: {"rfilename": "onnx/x\0.onnx"}},
    "name with a line break": {NETWORKS[0]: {"rfilename": "onnx/x\n.onnx"}},
    "name of Windows": {NETWORKS[0]: {"rfilename": "..\\..\\x.onnx"}},
    "name with a drive": {NETWORKS[0]: {"rfilename": "C:/x.onnx"}},
    "name that ends nowhere": {NETWORKS[0]: {"rfilename": "onnx//x.onnx"}},
    "name that is too long": {NETWORKS[0]: {"rfilename": f"{'x' * 300}.onnx"}},
    "name with half a letter": {NETWORKS[0]: {"rfilename": "\ud800.onnx"}},
}


@pytest.fixture
def pull_here(environment, monkeypatch):
    """Pull in this process: the hub's library has its settings since it was imported."""
    from huggingface_hub import constants

    from memery.models import hub

    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, environment[name])
    url = constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(constants.ENDPOINT)
    monkeypatch.setattr(constants, "ENDPOINT", environment["HF_ENDPOINT"])
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", constants.ENDPOINT + url)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", f"{environment['HF_HOME']}/hub")
    return lambda: hub.pull(NAME, None)


@pytest.mark.parametrize(
    "file",
    [{"lfs": {"sha256": "0" * 64, "size": 8}}, {"lfs": "large"}],
    ids=["pointer without a size", "pointer that is text"],
)
def test_explains_malformed_descriptions_in_plain_words(pull_here, hub, outside, file):
    hub.stated = {NETWORKS[0]: file}
    before = outside()
    with pytest.raises(ModelError, match="HF_ENDPOINT") as raised:
        pull_here()
    assert "Error" not in str(raised.value)
    assert "again" not in str(raised.value)
    assert outside() == before


@pytest.mark.parametrize("stated", HOSTILE.values(), ids=HOSTILE)
def test_impossible_statements_of_a_hub_change_no_file(pull_here, hub, outside, stated, tmp_path):
    hub.stated = json.loads(json.dumps(stated).replace("/ABSOLUTE", str(tmp_path)))
    before = outside()
    with pytest.raises(ModelError, match=r"not valid.*HF_ENDPOINT"):
        pull_here()
    assert outside() == before
    assert not [path for _, path, _ in hub.requests if "/resolve/" in path]


def test_never_uses_an_etag_in_a_path(pull_here, hub, outside):
    hub.etag = "../../../victim"
    before = outside()
    assert pull_here().commit == "c" * 40
    after = outside()
    assert after.pop("records") != before.pop("records")
    assert after == before


def test_stops_if_the_hub_sends_more_than_stated(pull_here, hub, tmp_path):
    hub.swapped = {NETWORKS[0]: file_of(5_000_000, 1)}
    with pytest.raises(ModelError, match=r"sends more bytes of onnx/vision_model\.onnx than it"):
        pull_here()
    blobs = (tmp_path / "hf" / "hub").glob("*/blobs/*")
    assert max(path.stat().st_size for path in blobs) <= 900_000


def test_does_not_follow_links_in_the_cache(pull_here, hub, outside, tmp_path):
    storage = tmp_path / "hf" / "hub" / "models--someone--tiny-clip"
    key = hashlib.sha256(hub.repositories[NAME].files[NETWORKS[0]]).hexdigest()
    config = blob_id(hub.repositories[NAME].files["config.json"])
    (storage / "blobs").mkdir(parents=True)
    (storage / "blobs" / f"{key}.memery").symlink_to(tmp_path / "victim")
    (storage / "blobs" / config).symlink_to(tmp_path / "victim")
    (tmp_path / "elsewhere").mkdir()
    (storage / "snapshots").symlink_to(tmp_path / "elsewhere")
    before = outside()
    with pytest.raises(ModelError, match="could not be downloaded"):
        pull_here()
    assert outside() == before
    (storage / "snapshots").unlink()
    model = pull_here()
    assert (model.folder / NETWORKS[0]).stat().st_size == 900_000
    assert (tmp_path / "victim").read_text() == "precious"


def test_remove_deletes_only_files_of_the_model(pull_here, hub, outside, tmp_path):
    """Not even where its hub stated another's commit, or a link in it leads elsewhere."""
    from memery.models import hub as models

    other = tmp_path / "hf" / "hub" / "models--other--model" / "snapshots" / ("c" * 40)
    other.mkdir(parents=True)
    (other / "config.json").write_text("{}")
    model = pull_here()
    (model.folder.parent / ("d" * 40)).mkdir()  # with a second revision, files are deleted singly
    (model.folder.parent / ("d" * 40) / "config.json").write_text("{}")
    (model.folder / "strange").symlink_to(tmp_path / "victim")
    before = outside()
    assert models.remove(model) > 1_000_000
    assert not model.folder.exists()
    after = outside()
    assert after.pop("records") == []
    assert after.items() <= before.items()
    assert len(after) == len(before) - 1
    assert models.remove(replace(model, folder=Path("/"))) == 0


def test_rejects_invalid_names(environment):
    for verb in (["pull"], ["remove", "--yes"], ["verify"], ["quantize"]):
        told = memery(environment, "models", *verb, "starter", check=4)
        assert "starter is built in or a plug-in" in told
    assert "nothing to download" in memery(environment, "models", "pull", "a/b/c", check=4)
    assert "not installed" in memery(environment, "models", "remove", "clip-b32", "--yes", check=4)
    assert "no model named" in memery(environment, "models", "info", "nobody", check=4)


def test_names_damaged_record(pull, environment, tmp_path):
    pull()
    (file,) = (tmp_path / "data" / "memery" / "models").glob("*.json")
    for broken in ("{", '{"files": {"../../x": {}}}', "[]"):
        file.write_text(broken)
        assert "models pull" in memery(environment, "models", "verify", NAME, check=4)
