"""Models by name, as a user has them: pulled from a hub on the loopback address, used, changed."""

import json
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from memery.config import Config
from memery.errors import ModelError
from memery.models.selection import open_model
from support.commands import hub_environment, run_command, start_command
from support.images import paint
from support.servers.hub import Hub, Repository, serving

MODELS = Path(__file__).parents[1] / "fixtures" / "models"
BEST = "immich-app/ViT-B-32__laion2b-s34b-b79k"
OTHER = "someone/tiny-siglip"


@pytest.fixture
def hub():
    served = {
        BEST: Repository.of_folder(MODELS / "immich-clip"),
        OTHER: Repository.of_folder(MODELS / "xenova-siglip"),
    }
    with serving(Hub(served)) as hub:
        yield hub


@pytest.fixture
def run(hub, tmp_path):
    environment = hub_environment(tmp_path, hub.url)

    def run(*words, check=0, **more):
        return run_command(*words, check=check, env=environment | more, cwd=tmp_path)

    run.environment = environment
    return run


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(24):
        paint(folder / f"{number}.png", (10 * number, 90, 200), (60 + number, 45))
    return folder


def state(run, folder="photos"):
    return json.loads(run("status", folder, "--format", "json").stdout)


def model_of(done):
    return json.loads(done.stdout)["model_id"]


@pytest.mark.slow
def test_pulled_model_is_used_from_then_on_without_asking_the_hub(run, hub, photos):
    first = run("build", "photos", "--archive", "old")
    assert "models pull clip-b32" in first.stderr
    pulled = run("models", "pull", "clip-b32")
    assert "clip-b32 is installed" in pulled.stderr
    listed = run("models", "list").stdout.splitlines()
    states = {line.split()[0]: line for line in listed[1:]}
    assert "built in" in states["starter"]
    assert "plug-in" in states["colours"]
    assert "not installed" in states["clip-small"]
    assert "not installed" not in states["clip-b32"]
    assert "installed" in states["clip-b32"]
    told = run("models", "info", "clip-b32").stdout
    assert "flickr30k r1  66.8" in told
    assert "state         installed" in told
    info = json.loads(run("models", "info", "clip-b32", "--format", "json").stdout)
    assert (info["state"], info["dim"], info["flickr30k_r1"]) == ("installed", 16, 66.8)
    hub.requests.clear()
    built = run("build", "photos", "--format", "json")
    assert (model_of(built), json.loads(built.stdout)["encoded"]) == ("clip-b32", 24)
    assert built.stderr == ""
    again = run("recall", "photos", "a cat", "--format", "json")
    assert model_of(again) == "clip-b32"
    assert model_of(run("recall", "photos", "a cat", "--archive", "old", "--format", "json")) == (
        "starter"
    )
    offline = run("recall", "photos", "a dog", "--format", "json", HF_HUB_OFFLINE="1")
    assert model_of(offline) == "clip-b32"
    assert hub.requests == []


@pytest.mark.slow
def test_model_of_the_registry_is_downloaded_the_first_time(run, hub, photos):
    built = run("build", "photos", "--model", "clip-b32", "--format", "json")
    assert model_of(built) == "clip-b32"
    assert "Downloading clip-b32" in built.stderr


def test_mistyped_folder_is_not_looked_for_on_the_hub(run, hub, photos):
    refused = run("build", "photos", "--model", OTHER, check=4).stderr
    assert f"There is no folder {OTHER}, and no model {OTHER} is installed" in refused
    assert f"memery models pull {OTHER}" in refused
    assert hub.requests == []
    for name in ("some/dir", "photos/modl", "./dir", "../dir", "/no/dir", "~/dir", "a/b/c"):
        with pytest.raises(ModelError, match=f"no folder {name}") as error:
            open_model(name)
        assert ("models pull" in str(error.value)) == (name in ("some/dir", "photos/modl"))


@pytest.mark.slow
def test_model_of_the_hub_is_used_once_it_is_pulled(run, hub, photos):
    run("models", "pull", OTHER)
    built = run("build", "photos", "--model", OTHER, "--format", "json")
    assert model_of(built) == OTHER
    assert model_of(run("recall", "photos", "a cat", "--format", "json")) == OTHER
    assert (
        "no model named 'clip-b33'" in run("build", "photos", "--model", "clip-b33", check=4).stderr
    )
    assert "HF_HUB_OFFLINE" in (
        run("build", "photos", "--model", "clip-b32", check=4, HF_HUB_OFFLINE="1").stderr
    )


@pytest.mark.slow
def test_archive_moves_to_another_model_once_all_is_encoded(run, photos):
    run("models", "pull", "clip-b32")
    run("build", "photos", "--model", "starter")
    words = ("build", photos, "--model", "clip-b32")
    slow = run.environment | {"MEMERY_BATCH_SIZE": "1"}
    with start_command(*words, env=slow, stdout=subprocess.PIPE) as build:
        while len(spaces := state(run)["spaces"]) < 2 or spaces[1]["embeddings"] < 2:
            time.sleep(0.02)
        build.kill()
    done = state(run)["spaces"][1]["embeddings"]
    if done < 24:  # it was killed in time
        told = run("status", "photos").stdout
        assert "starter, 24 embeddings (answers searches)" in told
        assert f"clip-b32, {done} embeddings" in told
        assert model_of(run("recall", "photos", "a cat", "--format", "json")) == "starter"
    finished = json.loads(run("build", "photos", "--model", "clip-b32", "--format", "json").stdout)
    assert (finished["encoded"], finished["unchanged"]) == (24 - done, done)
    assert model_of(run("recall", "photos", "a cat", "--format", "json")) == "clip-b32"
    assert (
        "is the model that searches"
        in run("purge", "photos", "--model", "clip-b32", "--yes", check=4).stderr
    )
    assert (
        "Deleted 24 embeddings of starter"
        in run("purge", "photos", "--model", "starter", "--yes").stderr
    )
    assert [space["model_id"] for space in state(run)["spaces"]] == ["clip-b32"]
    assert "no embeddings" in run("purge", "photos", "--model", "starter", "--yes", check=4).stderr
    assert json.loads(run("recall", "photos", "a cat", "--format", "json").stdout)["total"] == 24


@pytest.mark.slow
def test_refuses_changed_model_file(run, photos, tmp_path):
    shutil.copytree(MODELS / "xenova-clip", tmp_path / "mine")
    run("build", "photos", "--model", "mine")
    for tower in ("vision", "text"):
        name = f"onnx/{tower}_model.onnx"
        content = bytearray((tmp_path / "mine" / name).read_bytes())
        content[len(content) // 2] ^= 1  # in the weights
        (tmp_path / "mine" / name).write_bytes(content)
        for words in (["recall", "photos", "a cat"], ["build", "photos"]):
            refused = run(*words, "--model", "mine", check=4)
            assert "has changed" in refused.stderr
    assert state(run)["spaces"][0]["embeddings"] == 24
    run("build", "photos", "--model", "mine", "--rebuild")
    assert model_of(run("recall", "photos", "a cat", "--format", "json")) == "mine"


@pytest.mark.slow
def test_refuses_changed_or_missing_pulled_file(run, photos, tmp_path):
    run("models", "pull", "clip-b32")
    run("build", "photos")
    (file,) = (tmp_path / "hf").glob("hub/models--*/snapshots/*/visual/model.onnx")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.resolve().write_bytes(content)
    assert "models pull clip-b32" in run("recall", "photos", "a cat", check=4).stderr
    file.unlink()
    assert "models pull clip-b32" in run("recall", "photos", "a cat", check=4).stderr
    run("models", "pull", "clip-b32")
    run("recall", "photos", "a cat")


@pytest.mark.slow
def test_finds_model_in_a_folder_again_by_its_name(run, photos, tmp_path):
    shutil.copytree(MODELS / "rclip", tmp_path / "mine")
    run("build", "photos", "--model", tmp_path / "mine")
    assert model_of(run("recall", "photos", "a cat", "--format", "json")) == "mine"
    shutil.rmtree(tmp_path / "cache")
    refused = run("recall", "photos", "a cat", check=4)
    assert "mine, which is not installed here" in refused.stderr
    run("recall", "photos", "a cat", "--model", "mine")
    run("recall", "photos", "a cat")


@pytest.mark.slow
def test_foreign_archive_opens_and_downloads_no_model(run, hub, photos, tmp_path):
    shutil.copytree(MODELS / "xenova-clip", tmp_path / "mine")
    run("build", "photos", "--model", "starter")
    for model_id in ("/etc", "../mine", "http://127.0.0.1:9", OTHER, "mine", "x"):
        db = sqlite3.connect(photos / ".memery" / "store.sqlite3")
        db.execute("UPDATE spaces SET model_id = ?", (model_id,))
        db.commit()
        db.close()
        refused = run("recall", "photos", "a cat", check=4)
        assert "not installed here" in refused.stderr
    assert hub.requests == []


@pytest.mark.slow
def test_int8_model_has_an_embedding_space_of_its_own(run, photos):
    run("models", "pull", "clip-b32")
    run("build", "photos")
    assert "models quantize" in run("build", "photos", "--precision", "int8", check=4).stderr
    made = run("models", "quantize", "clip-b32", "--images", "photos")
    assert "On 24 images: cosine to fp32 0.9" in made.stdout
    built = run("build", "photos", "--precision", "int8", "--format", "json")
    assert (model_of(built), json.loads(built.stdout)["encoded"]) == ("clip-b32+int8", 24)
    assert model_of(run("recall", "photos", "a cat", "--format", "json")) == "clip-b32+int8"
    assert [space["embeddings"] for space in state(run)["spaces"]] == [24, 24]
    back = run("build", "photos", "--precision", "fp32", "--format", "json")
    assert (model_of(back), json.loads(back.stdout)["encoded"]) == ("clip-b32", 0)
    run("models", "remove", "clip-b32", "--yes")
    assert "not installed here" in run("recall", "photos", "a cat", check=4).stderr
    assert "models pull clip-b32" in run("recall", "photos", "a cat", check=4).stderr


@pytest.mark.parametrize("device", ["nonsense", "cuda", "TensorrtExecutionProvider"])
def test_built_in_model_refuses_a_device_that_is_not_there(run, photos, device):
    name = "CUDAExecutionProvider" if device == "cuda" else device
    refused = run("build", "photos", "--model", "starter", "--device", device, check=2).stderr
    assert f"does not support {name}, only " in refused
    assert "CPUExecutionProvider" in refused
    assert not (photos / ".memery" / "store.sqlite3").exists()


def test_plug_in_model_says_that_it_chooses_its_device(caplog):
    open_model("colours", Config(device="cpu"))
    assert "colours chooses its device itself" in caplog.text


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("model", ["starter", "colours"])
def test_model_of_a_single_precision_says_that_another_is_ignored(caplog, model, precision):
    open_model(model, Config())
    assert not caplog.text
    open_model(model, Config(precision=precision))
    assert f"{model} has a single precision: --precision {precision} is ignored" in caplog.text


@pytest.mark.slow
def test_refuses_unknown_device_and_precision(run, photos, tmp_path):
    shutil.copytree(MODELS / "xenova-clip", tmp_path / "mine")
    assert (
        "does not support TensorrtExecutionProvider"
        in run(
            "build", "photos", "--model", "mine", "--device", "TensorrtExecutionProvider", check=2
        ).stderr
    )
    run("build", "photos", "--model", "mine", "--device", "cpu")
    assert "precision" in run("build", "photos", "--precision", "int4", check=2).stderr
    untested = run(
        "recall", "photos", "a cat", "--model", "mine", "--device", "azureexecutionprovider"
    )
    assert "untested" in untested.stderr
