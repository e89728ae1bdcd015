"""The command: what it prints, and how it ends; as a process where signals and terminals matter."""

import contextlib
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from memery.gateway.cli import actions
from support.archives import count_rows
from support.commands import assert_ended, isolated_environment, run_python, start_command
from support.images import paint

RECALL_KEYS = ["query", "model_id", "total", "strong", "took_ms", "hits"]
HIT_KEYS = [
    "rank",
    "id",
    "path",
    "score",
    "strength",
    "weak",
    "width",
    "height",
    "taken_at",
    "date_source",
    "copies",
    "copy_paths",
]
HEADINGS = ["Rank", "Score", "Strength", "Path"]


@pytest.fixture
def run(tmp_path, invoke):
    environment = isolated_environment(tmp_path, COLUMNS="100")

    def run(*words, check=0, data=None, **more):
        done = invoke(words, cwd=tmp_path, env=environment | more, input=data or b"")
        assert_ended(done, check)
        return done

    run.environment = environment
    return run


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "trip").mkdir(parents=True)
    for place in ("red", "green", "trip/blue"):
        paint(folder / f"{place}.png", place.rpartition("/")[2])
    return folder


def text(done):
    return done.stdout.decode()


def test_prints_table_paths_and_json(run, photos):
    done = run("recall", "photos", "red", "-n", "2")
    assert text(done).splitlines()[0].split() == HEADINGS
    rank, score, *_, path = text(done).splitlines()[1].split()
    assert (rank, score, path) == ("1", "1.0000", "photos/red.png")
    assert "3 images read" in done.stderr.decode()
    assert text(run("recall", "photos", "blue", "--format", "paths")).splitlines()[0] == (
        "photos/trip/blue.png"
    )
    assert run("recall", "photos", "blue", "-n", "1", "--format", "paths0").stdout == (
        b"photos/trip/blue.png\0"
    )
    answer = json.loads(text(run("recall", "photos", "red^2", "--not", "blue", "--format", "json")))
    assert list(answer) == RECALL_KEYS
    assert list(answer["hits"][0]) == HIT_KEYS
    assert answer["query"] == [{"text": "red", "boost": 2.0}, {"text": "blue", "boost": -1.0}]
    assert answer["hits"][0]["path"] == "red.png"
    lines = text(run("recall", "photos", "red", "--format", "jsonl")).splitlines()
    assert [json.loads(line)["rank"] for line in lines] == [1, 2, 3]


def test_accepts_images_as_queries(run, photos):
    blue = photos / "trip" / "blue.png"
    best = ["-n", "1", "--format", "paths"]
    assert text(run("recall", "photos", "-i", blue, *best)) == "photos/trip/blue.png\n"
    done = run("recall", "photos", "-i", "-", *best, data=blue.read_bytes())
    assert text(done) == "photos/trip/blue.png\n"
    named = photos / "odd^2.png"
    paint(named, "green", (9, 9))
    answer = json.loads(text(run("recall", "photos", "-i", named, "--format", "json")))
    assert answer["query"] == [{"image": str(named), "boost": 1.0}]


@pytest.mark.parametrize("name", ["red^2", "red^2.png", "trip/red^0.5.png"])
def test_finds_a_file_whose_name_reads_as_a_boost(run, photos, name):
    Image.new("RGB", (9, 9), "green").save(photos / name, "PNG")
    typed = name.removeprefix("trip/").removesuffix(".png")
    (first, *_) = json.loads(text(run("recall", "photos", typed, "--format", "json")))["hits"]
    assert (first["path"], first["weak"]) == (name, False)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("-people.jpg", "-people"),
        ("cup -red.jpg", "cup -red"),
        ('"IMG_1234".jpg', "IMG_1234"),
        ('"IMG_1234".jpg', '"IMG_1234"'),
        ('a "b" c.jpg', 'a "b" c'),
    ],
)
def test_finds_a_file_whose_name_has_a_dash_or_quotation_marks(run, photos, name, typed):
    Image.new("RGB", (9, 9), "green").save(photos / name, "PNG")
    (first, *_) = json.loads(text(run("recall", "photos", "--format", "json", "--", typed)))["hits"]
    assert (first["path"], first["weak"]) == (name, False)


def test_prefers_a_name_without_quotation_marks_to_one_with_them(run, photos):
    for name, colour in (('"IMG_7".jpg', "red"), ("IMG_7.jpg", "blue")):
        Image.new("RGB", (9, 9), colour).save(photos / name, "PNG")
    hits = json.loads(text(run("recall", "photos", "IMG_7", "--format", "json")))["hits"]
    assert [hit["path"] for hit in hits[:2]] == ["IMG_7.jpg", '"IMG_7".jpg']


def test_says_that_a_folder_has_no_images(run, tmp_path):
    (tmp_path / "empty").mkdir()
    said = run("recall", "empty", "red", check=1).stderr
    assert "empty contains no images to search" in (
        said if isinstance(said, str) else said.decode()
    )


def test_answers_many_queries_in_one_process(run, photos, tmp_path):
    (tmp_path / "queries.txt").write_text("red\n\ngreen\n")
    for source, data in (("queries.txt", None), ("-", b"red\n\ngreen\n")):
        lines = text(run("recall", "photos", "--queries-from", source, data=data)).splitlines()
        assert [json.loads(line)["hits"][0]["path"] for line in lines] == ["red.png", "green.png"]
    run("recall", "photos", "red", "--queries-from", "queries.txt", check=2)
    run("recall", "photos", "--queries-from", "missing.txt", check=2)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["recall", "photos"], 2, "query is empty"),
        (["recall", "photos", " "], 2, "empty"),
        (["recall", "photos", "red^0"], 2, "boost"),
        (["recall", "photos", "red^" + "9" * 5000], 2, "from -1000000 to 1000000"),
        (["recall", "photos", "red^1e999"], 2, "Invalid boost 1e999. Use plain digits"),
        (["recall", "photos", "-t", "red", "--not", "dog^NaN"], 2, "at most 1000000"),
        (["recall", "photos", "-i", "missing.png^inf"], 2, "Invalid boost inf"),
        (["recall", "photos", "red", "--nonsense"], 2, "No such option"),
        (["recall", "missing", "red"], 3, "does not exist"),
        (["recall", "photos/red.png", "red"], 3, "is a file"),
        (["recall", "photos", "-i", "missing.png"], 3, "missing.png"),
        (["recall", "photos", "red", "--no-index"], 3, "memery build"),
        (["recall", "photos", "red", "--model", "nobody"], 4, "no model"),
        (["build", "photos", "--model", "broken"], 4, "not finite"),
        (["purge", "photos", "--yes"], 3, "no archive"),
        (["purge", "missing", "--yes"], 3, "--archive DIR"),
        (["recall", "photos", "red", "--show"], 2, "--show"),
        (["recall", "photos", "red", "--copy-to", "photos/red.png"], 3, "--copy-to"),
    ],
)
def test_errors_say_what_to_do(run, photos, words, code, message):
    assert message in run(*words, check=code).stderr.decode()


def test_rejects_invalid_settings(run, photos, tmp_path):
    assert "workers" in run("build", "photos", check=2, MEMERY_WORKERS="many").stderr.decode()
    (tmp_path / "config.toml").write_text("modle = 'x'\n")
    done = run("build", "photos", check=2, MEMERY_CONFIG=str(tmp_path / "config.toml"))
    assert "modle" in done.stderr.decode()
    (tmp_path / "config.toml").write_text("follow_links = true\nbatch_size = 2\n")
    run("build", "photos", MEMERY_CONFIG=str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text("= broken\n")
    run("build", "photos", check=2, MEMERY_CONFIG=str(tmp_path / "config.toml"))


def test_empty_folder_prints_nothing(run, tmp_path):
    (tmp_path / "empty").mkdir()
    done = run("recall", "empty", "red", check=1)
    assert done.stdout == b""
    assert b"Nothing to show" in done.stderr


def test_names_kinds_of_files_that_cannot_be_decoded(run, tmp_path):
    (tmp_path / "raw" / "@eaDir").mkdir(parents=True)
    for name in ("a.cr2", "b.NEF", "c.mp4"):
        (tmp_path / "raw" / name).touch()
    said = [
        "1 folder excluded: @eaDir (1); to include one, write a line such as !@eaDir/ into"
        " .memeryignore.",
        "2 RAW files (.cr2, .nef) cannot be read: export them as JPEG.",
        "1 video file (.mp4) cannot be read: extract frames as JPEG.",
    ]
    assert text(run("build", "raw", "--dry-run")).splitlines()[1:] == said
    assert text(run("build", "raw")).splitlines()[1:] == said
    assert text(run("status", "raw")).splitlines()[-3:] == said
    for words in (["recall", "raw", "red"], ["duplicates", "raw"]):
        printed = run(*words, check=1).stderr.decode().splitlines()
        assert printed[-3:] == [f"memery: {sentence}" for sentence in said]
    excluded = {"folders": {"@eaDir": 1}, "files": {"cr2": 1, "nef": 1, "mp4": 1}}
    for command in ("build", "status"):
        report = json.loads(text(run(command, "raw", "--format", "json")))
        assert report["excluded"] == excluded


def test_removes_images_in_folders_left_out_since(run, photos):
    (photos / "@eaDir").mkdir()
    paint(photos / "@eaDir" / "yellow.png", "yellow")
    (photos / ".memeryignore").write_text("!@eaDir/\n")  # as every earlier memery
    assert "4 images searchable" in text(run("build", "photos"))
    (photos / ".memeryignore").unlink()
    assert "3 images searchable (0 encoded, 3 unchanged, 1 removed)" in text(run("build", "photos"))


def test_purge_deletes_what_build_made_and_status_showed(run, photos):
    (photos / "notes.png").write_text("words")
    assert "Would read 4 new images" in text(run("build", "photos", "--dry-run"))
    assert not (photos / ".memery").exists()
    assert "3 images searchable (3 encoded, 1 skipped)" in text(run("build", "photos"))
    report = json.loads(text(run("build", "photos", "--format", "json", "--verify")))
    assert report["reused"] == 3
    assert "notes.png: not an image" in text(run("status", "photos"))
    state = json.loads(text(run("status", "photos", "--format", "json")))
    assert (state["searchable"], state["model_id"]) == (3, "colours")
    assert "Part of" in text(run("status", "photos/trip"))
    assert "as a whole" in run("purge", "photos/trip", "--yes", check=3).stderr.decode()
    run("purge", "photos", check=1, data=b"n\n")
    unanswered = run("purge", "photos", check=2, data=b"").stderr.decode()
    assert "--yes" in unanswered
    assert "Interrupted" not in unanswered
    (photos / ".memery" / "mine.txt").write_text("kept")
    run("purge", "photos", "--yes")
    assert [file.name for file in (photos / ".memery").iterdir()] == ["mine.txt"]
    assert len(list(photos.rglob("*.png"))) == 4


def test_copies_hits_without_overwriting(run, photos, tmp_path):
    paint(photos / "trip" / "red.png", "red", (40, 31))
    done = run("recall", "photos", "red", "-n", "2", "--copy-to", "out")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["red-2.png", "red.png"]
    assert b"2 images copied" in done.stderr


def test_opens_best_hit(run, photos, tmp_path):
    viewer = tmp_path / "bin" / "xdg-open"
    viewer.parent.mkdir()
    viewer.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    viewer.chmod(0o755)
    run("recall", "photos", "red", "--open", PATH=f"{viewer.parent}:{os.environ['PATH']}")
    assert (tmp_path / "opened").read_text().strip() == str(photos / "red.png")


def test_reports_missing_viewer(run, photos, tmp_path):
    (tmp_path / "bin").mkdir()
    command = ("recall", "photos", "red", "--open", "--format", "paths")
    opener = tmp_path / "bin" / "xdg-open"
    for script in (None, "#!/bin/sh\necho noise; echo more noise >&2\nexit 3\n"):
        if script:
            opener.write_text(script)
            opener.chmod(0o755)
        done = run(*command, check=2, PATH=f"{opener.parent}")
        assert b"memery: --open found no program that shows red.png. Install" in done.stderr
        assert b"photos/red.png" in done.stdout
        assert b"noise" not in done.stdout + done.stderr


def test_does_not_wait_for_the_viewer(tmp_path, monkeypatch):
    opener = tmp_path / "xdg-open"
    opener.write_text("#!/bin/sh\nexec sleep 60\n")
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(actions, "_LAUNCH_SECONDS", 0.01)
    children = []
    started = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *a, **k: children.append(started(*a, **k)) or children[0]
    )
    assert actions.launch("red.png")
    children[0].kill()
    children[0].wait()


def test_prints_names_of_any_bytes(run, photos):
    names = [b"new\nline.png", b"esc\x1b[31m.png", b"\xff\xfe.png", b"n" * 251 + b".png"]
    for name in names:
        source = (photos / "red.png").read_bytes()
        (photos / os.fsdecode(name)).write_bytes(source)
    listed = run("recall", "photos", "red", "--copies", "--format", "paths0").stdout.split(b"\0")
    assert {b"photos/" + name for name in names} <= set(listed)
    table = run("recall", "photos", "red", "--copies").stdout
    assert b"\x1b" not in table
    assert b"new\\nline.png" in table
    answer = run("recall", "photos", "red", "--format", "json").stdout
    assert b"\\udcff\\udcfe.png" in answer


@pytest.mark.parametrize(
    "word", ["-people", "-tree", "-nature", "-iris", "-vase", "-house", "-5 degrees", "--no one"]
)
def test_gives_hint_for_text_that_begins_with_a_dash(run, photos, word):
    error = run("recall", "photos", word, check=2).stderr.decode()
    assert f"memery recall PATH -- {shlex.quote(word)}" in " ".join(error.split())
    assert not (photos / ".memery").exists()
    run("recall", "photos", "--no-index", "-qn1", "--not", word, check=3)  # a value of an option


def test_word_with_a_dash_finds_less_of_it(run, photos):
    for words in (["red -blue"], ["-t", "red -blue"], ["red", "--not", "blue"]):
        answer = json.loads(text(run("recall", "photos", *words, "--format", "json")))
        assert answer["query"] == [
            {"text": "red", "boost": 1.0},
            {"text": "blue", "boost": -1.0},
        ]
    answer = json.loads(text(run("recall", "photos", "--format", "json", "--", "-blue")))
    assert answer["query"] == [{"text": "blue", "boost": -1.0}]
    (photos.parent / "queries.txt").write_text("red -blue^2\n")
    done = run("recall", "photos", "--queries-from", "queries.txt")
    assert json.loads(text(done))["query"][1] == {"text": "blue", "boost": -2.0}


def test_empty_answer_names_its_cause(run, photos):
    for words, reason in (
        (['"xyzzy"'], 'No image contains "xyzzy" in its text, name or metadata.'),
        (["red", "--under", "nosuch"], "No indexed image is in the folder 'nosuch'."),
    ):
        assert reason in run("recall", "photos", *words, check=1).stderr.decode()
    done = run("recall", "photos", "red", "--since", "2024", "--until", "2023", check=2)
    assert "since 2024-01-01 is after until 2023-12-31" in done.stderr.decode()


def test_table_folds_exact_copies(run, photos):
    (photos / "again.png").write_bytes((photos / "red.png").read_bytes())
    first, second, *_ = text(run("recall", "photos", "red")).splitlines()
    assert first.split() == ["Rank", "Score", "Strength", "Copies", "Path"]
    assert second.split()[-2:] == ["×2", "photos/red.png"]
    for format_, count in (("paths", 1), ("jsonl", 1)):
        words = ("recall", "photos", "red", "-n", "1", "--format", format_)
        assert len(text(run(*words)).splitlines()) == count
    listed = text(run("recall", "photos", "red", "--copies", "--format", "paths")).splitlines()
    assert listed[:2] == ["photos/red.png", "photos/again.png"]


def test_reports_if_no_hit_is_strong(run, photos):
    nothing = "Nothing here really matches"
    assert nothing not in run("recall", "photos", "submarine").stderr.decode()
    for number in range(30):
        file = photos / f"{number}.png"
        paint(file, "grey", (40 + number, 30), modified=2_000_000_000 + number)
    assert nothing in run("recall", "photos", "submarine").stderr.decode()
    for more in (["--sort", "date"], ["--sort", "date", "--min-strength", "-99"]):
        assert nothing in run("recall", "photos", "submarine", "-n", "3", *more).stderr.decode()
    for words in (["29.PNG"], ["grey", "--not", "red"], ["-i", "photos/0.png"]):
        assert nothing not in run("recall", "photos", *words).stderr.decode()


def test_names_model_for_a_query_in_another_script(run, photos):
    starter = {"MEMERY_MODEL": "starter"}
    told = run("recall", "photos", "кошка", **starter).stderr.decode()
    assert "The model starter cannot read “кошка”" in told
    assert "memery models pull siglip2-multilingual" in told
    assert "Nothing here really matches" not in told
    lines = run("recall", "photos", "--queries-from", "-", data="cat\n猫\n".encode(), **starter)
    assert lines.stderr.decode().count("cannot read") == 1
    assert "cannot read “猫”" in lines.stderr.decode()


def test_dry_run_counts_what_the_build_will_read(run, photos):
    run("build", "photos")
    for option in ("--rebuild", "--verify"):
        assert "3 changed" in text(run("build", "photos", "--dry-run", option))


def test_status_needs_no_model(run, photos):
    run("build", "photos")
    assert "3" in text(run("status", "photos", MEMERY_MODEL="nope"))


def test_interruption_before_the_first_commit_prints_nothing(run, photos):
    with start_command(
        *("recall", photos, "red"),
        env=run.environment | {"COLOURS_SECONDS": "30"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as recall:
        while not (photos / ".memery" / "lock.pid").exists():
            time.sleep(0.05)
        recall.send_signal(signal.SIGINT)
        out, err = recall.communicate()
    assert recall.returncode == 130, err
    assert (out, b"Traceback" in err) == (b"", False)


@pytest.mark.slow
def test_second_build_names_the_first(run, photos):
    slow = run.environment | {"COLOURS_SECONDS": "3"}
    with start_command("build", photos, env=slow, stdout=subprocess.PIPE) as first:
        pidfile = photos / ".memery" / "lock.pid"
        while not pidfile.exists() or not pidfile.read_text():
            time.sleep(0.02)
        done = run("build", photos, check=3)
        assert f"process {first.pid}" in done.stderr.decode()
        meanwhile = run("recall", photos, "red", check=(0, 1))
        assert b"committed so far" in meanwhile.stderr
        first.communicate()
    assert first.returncode == 0


def test_interrupted_recall_answers_from_what_is_committed(run, photos):
    for number in range(80):
        paint(photos / f"more{number}.png", "red", (20 + number, 20))
    environment = run.environment | {"COLOURS_SECONDS": "1", "MEMERY_BATCH_SIZE": "12"}
    with start_command(
        *("recall", photos, "red", "-n", "3"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell starts its background jobs deaf to Ctrl-C, and their children with them.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as recall:
        while not count_rows(photos):
            time.sleep(0.05)
        recall.send_signal(signal.SIGINT)
        out, err = recall.communicate()
    assert recall.returncode == 130, err
    assert b"of 83 images indexed" in err
    assert out.count(b"\n") == 4
    assert b"Traceback" not in err


@pytest.mark.slow
def test_killed_builds_lose_nothing_committed(run, photos):
    for number in range(60):
        paint(photos / f"more{number}.png", (number, 0, 0), (20 + number, 20))
    environment = run.environment | {"COLOURS_SECONDS": "0.05", "MEMERY_BATCH_SIZE": "4"}
    kept = 0
    for attempt in range(6):
        with start_command("build", photos, env=environment, stdout=subprocess.PIPE) as build:
            time.sleep(0.4 + 0.1 * attempt)
            build.kill()
        state = json.loads(text(run("status", photos, "--format", "json")))
        assert state["searchable"] >= kept
        kept = state["searchable"]
    assert (
        json.loads(text(run("build", photos, "--verify", "--format", "json")))["searchable"] == 63
    )


def test_closed_pipe_is_not_an_error(run, photos):
    command = f"{sys.executable} -m memery recall photos red --format jsonl | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=photos.parent,
        env=run.environment,
        capture_output=True,
        check=False,
    )
    assert done.stderr.count(b"memery") <= 1
    assert done.stdout.count(b"\n") == 1


def test_prints_help_version_models_and_completion(run):
    for command in ("recall", "build", "status", "purge", "models list"):
        assert b"Example: memery" in run(*command.split(), "--help").stdout
    assert text(run("--version")).startswith("memery ")
    assert "starter" in text(run("models", "list"))
    completion = subprocess.check_output(
        [Path(sys.executable).parent / "memery"],
        env=run.environment | {"_MEMERY_COMPLETE": "source_bash"},
    )
    assert b"complete" in completion


def test_import_loads_no_heavy_library():
    code = "import sys, memery; print(*sorted(sys.modules))"
    loaded = run_python("-c", code).stdout.split()
    assert not {"numpy", "PIL", "typer", "onnxruntime"} & set(loaded)
    code = "import sys, memery.gateway.cli.app; print(*sorted(sys.modules))"
    loaded = run_python("-c", code).stdout.split()
    assert not {"numpy", "PIL", "onnxruntime", "faiss", "rich"} & set(loaded)


def test_search_loads_nothing_that_only_indexing_needs(run, photos):
    run("build", "photos", MEMERY_MODEL="starter")
    done = run_python(
        *("-X", "importtime", "-m", "memery", "recall", "photos", "red"),
        cwd=photos.parent,
        env=run.environment | {"MEMERY_MODEL": "starter"},
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "memery.core" in loaded
    unused = (
        "imaging.dates imaging.icc imaging.isolation executors.deduplicator.verification"
        " models.registry imaging.ppm ocr.tiling imaging.repair"
    )
    assert not loaded & {f"memery.{name}" for name in unused.split()}


def test_built_in_search_looks_for_no_plug_ins(run, photos, monkeypatch):
    run("build", "photos", MEMERY_MODEL="starter")
    monkeypatch.setattr("memery.plugins._entry_points", pytest.fail)
    assert b"Rank" in run("recall", "photos", "red", MEMERY_MODEL="starter").stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("recall photos red > /dev/full", 3),
        ("recall --help > /dev/full", 3),
        ("recall photos red >&-", 0),
        ("recall photos -i - <&-", 3),
        ("recall photos --queries-from - <&-", 1),
        ("recall photos $'caf\\xff' --model starter", 2),
        ("recall photos -i ''", 2),
    ],
)
def test_rejects_unusable_streams_and_texts(run, photos, words, code):
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m memery {words}"],
        cwd=photos.parent,
        env=run.environment,
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == code, done.stderr.decode()


def on_a_terminal(words, environment):
    """Run a command under a pseudo-terminal; returns what it printed there."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-m", "memery", *words], environment)
    shown = b""
    with contextlib.suppress(OSError):  # Linux ends the last read with an error
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)
    assert os.waitpid(child, 0)[1] == 0
    return shown


def test_terminal_shows_progress_only_while_indexing(run, photos):
    words = ["recall", str(photos), "red", "-n", "1"]
    environment = run.environment | {"COLOURS_SECONDS": "0.5", "MEMERY_BATCH_SIZE": "1"}
    shown = on_a_terminal(words, environment)
    assert b"Indexing" in shown
    assert b"3/3" in shown
    assert b"Indexing" not in on_a_terminal(words, environment)
