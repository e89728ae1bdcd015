"""The built-in model: its files are what its facts say, and its embeddings stand alone."""

import hashlib
import tomllib
from importlib import resources

import numpy as np
import pytest
from PIL import Image

from memery.imaging.decoding import decode
from memery.models.starter import StarterModel
from support.commands import run_python

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def model():
    return StarterModel()


@pytest.fixture(scope="module")
def pictures():
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (6, 13, 13, 3), dtype=np.uint8)
    images = [Image.fromarray(array).resize((260, 260)) for array in small]
    return np.stack([np.asarray(image) for image in images])


def files():
    folder = resources.files("memery.models.starter")
    facts = tomllib.loads((folder / "starter.toml").read_text(encoding="utf-8"))
    return facts, {name: (folder / name).read_bytes() for name in facts["files"]}


def test_files_are_unchanged_since_export():
    facts, contents = files()
    for name, content in contents.items():
        assert len(content) == facts["files"][name]["bytes"]
        assert hashlib.sha256(content).hexdigest() == facts["files"][name]["sha256"]


def test_files_stay_within_their_budget():
    _, contents = files()
    assert sum(map(len, contents.values())) <= 55 * MEGABYTE


def test_embeddings_are_unit_vectors(model, pictures):
    images = model.encode_images(pictures)
    texts = model.encode_texts(["a dog", "", "🦖", "word " * 500, "北京", "\0"])
    for embeddings, count in ((images, len(pictures)), (texts, 6)):
        assert embeddings.shape == (count, model.info.dim)
        assert embeddings.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_embeddings_do_not_depend_on_batch_mates(model, pictures):
    together = model.encode_images(pictures)
    alone = np.concatenate([model.encode_images(picture[np.newaxis]) for picture in pictures])
    assert (together * alone).sum(axis=1).min() >= 0.99999
    texts = ["a dog on a beach", "cat", "a very long text about nothing at all"]
    together = model.encode_texts(texts)
    alone = np.concatenate([model.encode_texts([text]) for text in texts])
    assert (together * alone).sum(axis=1).min() >= 0.99999


def test_pixels_are_squashed_as_in_training(model, tmp_path):
    array = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    Image.fromarray(array).save(tmp_path / "photo.png")
    decoded = decode((tmp_path / "photo.png").read_bytes(), model.info.resize, 1 << 30)
    expected = Image.fromarray(array).resize((260, 260), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(decoded.pixels, np.asarray(expected))
    assert (decoded.width, decoded.height) == (400, 300)


TOKENIZE_MANY = """
from importlib import resources
from pathlib import Path
from memery.models.runtime import read_tokenizer

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

tokenizer = read_tokenizer(resources.files("memery.models.starter") / "words.json")
before = resident()
for number in range(10_000):
    tokenizer.encode(f"{number:09} " + "people on a beach at night " * 4)
print(resident() / before)
"""


def test_tokenizer_keeps_no_texts():
    """A server receives new texts for ever; it must not keep them all."""
    assert float(run_python("-c", TOKENIZE_MANY).stdout) < 1.25
