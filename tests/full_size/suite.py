"""What needs a model of full size, or torch: run by `make test-models`, which makes both.

FULL_SIZE names the folder that `python -m fixtures.full_size` has filled, FULL_SIZE_PYTHON a Python
that has torch and memery.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from memery.imaging.decoding import decode
from memery.models.clip import ClipModel
from memery.models.clip.text import Tokens, merges_tokenizer
from support.commands import hub_environment, run_command
from support.servers.hub import Hub, Repository, serving

FOLDER = Path(os.environ["FULL_SIZE"])
WITH_TORCH = os.environ["FULL_SIZE_PYTHON"]
FIXTURES = Path(__file__).parent.parent / "fixtures"
STUBS = Path(__file__).parent / "stubs"
TEXTS = json.loads((FOLDER / "texts.json").read_text(encoding="utf-8"))
PICTURES = [
    *("landscape.jpg", "portrait.png", "tiny.png", "grey.png", "rotated.jpg", "cmyk.jpg"),
    *("alpha.png", "palette.png", "grey-alpha.png", "deep.png", "animated.gif", "large.jpg"),
]
REFERENCE = dict(np.load(FOLDER / "reference.npz"))
BEST, SECOND = "immich-app/ViT-B-32__laion2b-s34b-b79k", "Xenova/clip-vit-base-patch32-fp32"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def hub():
    served = {
        BEST: Repository.of_folder(FOLDER / "immich-clip"),
        SECOND: Repository.of_folder(FOLDER / "xenova-clip"),
    }
    with serving(Hub(served)) as hub:
        yield hub


@pytest.fixture(scope="module")
def run(hub, home):
    environment = hub_environment(home, hub.url)

    def run(*words, check=0, python=sys.executable, **more):
        return run_command(*words, check=check, python=python, env=environment | more, cwd=home)

    return run


@pytest.fixture(autouse=True)
def homes(monkeypatch, home):
    for name in ("cache", "data"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(home / name))


def crafted(model, names=PICTURES):
    resize = model.info.resize
    files = [FIXTURES / "images" / name for name in names]
    return np.stack([decode(file.read_bytes(), resize, 1 << 40).pixels for file in files])


def cosines(ours, theirs):
    return (ours * theirs).sum(axis=1)


@pytest.mark.parametrize("layout", ["immich-clip", "xenova-clip"])
def test_full_size_model_gives_embeddings_of_the_reference(layout):
    model = ClipModel(FOLDER / layout, layout, device="cpu")
    images, texts = model.encode_images(crafted(model)), model.encode_texts(TEXTS)
    assert cosines(images, REFERENCE["images"]).min() >= 0.9999
    assert cosines(texts, REFERENCE["texts"]).min() >= 0.9999
    alone = np.concatenate([model.encode_images(part[None]) for part in crafted(model)])
    assert cosines(images, alone).min() >= 0.99999


def test_full_vocabulary_gives_token_ids_of_the_reference():
    """Layouts 1 and 3 against transformers' tokenizer, layout 2 against open_clip's."""
    tokenizer = FOLDER / "xenova-clip" / "tokenizer.json"
    merges = FOLDER / "tokenizer" / "bpe_simple_vocab_16e6.txt.gz"
    assert merges_tokenizer(merges).get_vocab_size() == 49408
    for file, clean, pad, expected in (
        (tokenizer, "none", None, REFERENCE["ids"]),
        (tokenizer, "whitespace", "<|endoftext|>", REFERENCE["ids"]),
        (merges, "openai", 0, REFERENCE["simple_ids"]),
    ):
        tokens = Tokens(file, clean, 77, pad)
        for text, ids in zip(TEXTS, expected, strict=True):
            assert tokens.fill(tokens.encode(text)) == ids.tolist(), text


def test_pull_build_recall_int8_and_another_model(run, hub, home):
    shutil.copytree(FOLDER / "photos", home / "photos")
    assert "is installed (60" in run("models", "pull", "clip-b32").stderr
    hub.requests.clear()
    built = json.loads(run("build", "photos", "--format", "json").stdout)
    assert (built["model_id"], built["encoded"]) == ("clip-b32", 200)
    answer = json.loads(run("recall", "photos", "a cat", "-n", "3", "--format", "json").stdout)
    assert (answer["model_id"], answer["total"], len(answer["hits"])) == ("clip-b32", 200, 3)
    similar = run("recall", "photos", "-i", "photos/7.jpg", "-n", "1", "--format", "json").stdout
    assert json.loads(similar)["hits"][0]["path"] == "7.jpg"
    assert hub.requests == []

    cost = run("models", "quantize", "clip-b32", "--images", "photos").stdout
    assert "On 64 images: cosine to fp32 0.99" in cost
    small = run("build", "photos", "--precision", "int8", "--format", "json").stdout
    assert json.loads(small)["model_id"] == "clip-b32+int8"

    run("models", "pull", SECOND)
    other = json.loads(run("build", "photos", "--model", SECOND, "--format", "json").stdout)
    assert (other["model_id"], other["encoded"]) == (SECOND, 200)
    # The same weights in another layout: the same scores, in a space of their own.
    again = json.loads(run("recall", "photos", "a cat", "-n", "3", "--format", "json").stdout)
    assert again["model_id"] == SECOND
    ours, theirs = ([hit["score"] for hit in found["hits"]] for found in (answer, again))
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
    spaces = json.loads(run("status", "photos", "--format", "json").stdout)["spaces"]
    assert [space["embeddings"] for space in spaces] == [200, 200, 200]


def test_exports_checkpoint_of_transformers(run, home):
    done = run("models", "export", FIXTURES / "checkpoint", "exported", python=WITH_TORCH)
    assert "Lowest cosine to the checkpoint" in done.stderr
    model = ClipModel(home / "exported", "exported", device="cpu")
    with np.load(FIXTURES / "references" / "immich-clip.npz") as expected:
        images, texts = expected["images"], expected["texts"]
    known = json.loads((FIXTURES / "texts.json").read_text(encoding="utf-8"))
    assert cosines(model.encode_images(crafted(model)), images).min() >= 0.9999
    assert cosines(model.encode_texts(known), texts).min() >= 0.9999
    small = ClipModel(home / "exported", "exported", precision="int8", device="cpu")
    assert small.info.model_id == "exported+int8"
    assert cosines(small.encode_images(crafted(model)), images).min() >= 0.98
    refused = run(
        "models", "export", FIXTURES / "checkpoint", "exported", python=WITH_TORCH, check=4
    )
    assert "already exists" in refused.stderr


def test_exports_checkpoint_of_open_clip(run, home):
    run(
        *("models", "export", FOLDER / "open_clip", "exported-too"),
        python=WITH_TORCH,
        PYTHONPATH=str(STUBS),
    )
    model = ClipModel(home / "exported-too", "exported", device="cpu")
    images, texts = model.encode_images(crafted(model)), model.encode_texts(TEXTS)
    assert cosines(images, REFERENCE["open_clip_images"]).min() >= 0.9999
    assert cosines(texts, REFERENCE["open_clip_texts"]).min() >= 0.9999


def test_failed_export_leaves_nothing_behind(run, home):
    (home / "empty").mkdir(exist_ok=True)
    refused = run("models", "export", "empty", "never", python=WITH_TORCH, check=4)
    assert "safetensors" in refused.stderr
    (home / "empty" / "model.safetensors").write_bytes(b"no weights")
    refused = run("models", "export", "empty", "never", python=WITH_TORCH, check=4)
    assert "neither" in refused.stderr
    broken = home / "broken"
    shutil.copytree(FIXTURES / "checkpoint", broken, dirs_exist_ok=True)
    (broken / "model.safetensors").write_bytes(b"no weights")
    assert (
        "cannot be read"
        in run("models", "export", "broken", "never", python=WITH_TORCH, check=4).stderr
    )
    assert "memery[export]" in run("models", "export", "broken", "never", check=4).stderr
    # An export that differs is refused: its exporter is made to write other weights.
    code = (
        "import sys, torch; from memery.models.export import checkpoints\n"
        "real = checkpoints.write_onnx\n"
        "def wrong(module, *rest):\n"
        "    with torch.no_grad():\n"
        "        for weight in module.parameters(): weight.add_(0.05)\n"
        "    real(module, *rest)\n"
        "    with torch.no_grad():\n"
        "        for weight in module.parameters(): weight.sub_(0.05)\n"
        "from memery.models import export\n"
        "export.write_onnx = wrong\n"
        "from pathlib import Path\n"
        f"export.export(Path({str(FIXTURES / 'checkpoint')!r}), Path('never'))"
    )
    done = subprocess.run(
        [WITH_TORCH, "-c", code], cwd=home, capture_output=True, text=True, check=False
    )
    assert "differs from its checkpoint" in done.stderr
    assert not (home / "never").exists()
    assert not list(home.glob(".never*"))
