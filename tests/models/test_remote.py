"""The remote model against a server that speaks the encoder protocol."""

import base64
import json
import os
import time
import urllib.request
from types import SimpleNamespace

import numpy as np
import pytest
import urllib3

from memery import Memery
from memery.errors import ModelError
from memery.models.remote import RemoteModel
from memery.testing import ColourModel
from support.commands import run_command
from support.images import paint
from support.servers.encoder import Encoder, serving

PICTURES = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)
TEXTS = ["red", "a blue \udcff thing", "grün", "", "red car"]


@pytest.fixture
def encoder():
    with serving(Encoder()) as encoder:
        yield encoder


def test_gives_embeddings_of_the_served_model(encoder):
    model, local = RemoteModel(encoder.url), ColourModel()
    assert model.info.fingerprint == local.info.fingerprint
    assert (model.info.model_id, model.info.dim) == (local.info.model_id, local.info.dim)
    assert (model.info.resize.size, model.info.resize.mode) == (32, "squash")
    np.testing.assert_array_equal(model.encode_images(PICTURES), local.encode_images(PICTURES))
    np.testing.assert_array_equal(model.encode_texts(TEXTS), local.encode_texts(TEXTS))
    assert model.encode_images(PICTURES[:0]).shape == (0, local.info.dim)
    assert model.encode_texts([]).shape == (0, local.info.dim)
    # 10 pictures and 5 texts, at most 4 at a time, over one connection.
    assert [path for _, path in encoder.requests] == [
        "/v1/model", *["/v1/encode"] * 5,
    ]  # fmt: skip
    assert encoder.connections == 1


def test_gives_same_embeddings_for_json_requests(encoder):
    pictures = [base64.b64encode(picture.tobytes()).decode() for picture in PICTURES[:4]]
    for asked, expected in (
        ({"pictures": pictures}, ColourModel().encode_images(PICTURES[:4])),
        ({"texts": TEXTS[:3]}, ColourModel().encode_texts(TEXTS[:3])),
    ):
        request = urllib.request.Request(
            f"{encoder.url}/v1/encode",
            json.dumps(asked).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.headers["Memery-Fingerprint"] == ColourModel().info.fingerprint
            np.testing.assert_allclose(json.load(answer)["embeddings"], expected, atol=1e-6)


def test_rejects_wrong_token_and_accepts_the_right_one(encoder):
    encoder.token = "secret"
    with pytest.raises(ModelError, match="MEMERY_TOKEN"):
        RemoteModel(encoder.url, "wrong").info  # noqa: B018
    assert RemoteModel(encoder.url, "secret").encode_texts(["red"]).shape[0] == 1


@pytest.fixture
def waits(monkeypatch):
    """Seconds that the client waits between its tries; it does not wait for them."""
    waits = []
    clock = SimpleNamespace(time=time.time, sleep=waits.append)
    monkeypatch.setattr(urllib3.util.retry, "time", clock)
    return waits


def test_busy_server_is_asked_again_when_it_says(encoder, waits):
    model = RemoteModel(encoder.url)
    assert model.info.dim
    encoder.answers = [(503, {"Retry-After": "7"}), (429, {"Retry-After": "0"}), (502, {})]
    assert model.encode_texts(["red"]).shape[0] == 1
    assert waits[0] == 7
    assert all(0 < wait < 5 for wait in waits[1:])
    encoder.answers = [(503, {"Retry-After": "0"})] * 9
    with pytest.raises(ModelError, match=r"error 503 \(trouble\)"):
        model.encode_texts(["red"])
    assert len(encoder.answers) == 4  # bounded


def test_retries_after_cut_answers(encoder, waits):
    model = RemoteModel(encoder.url)
    encoder.cuts = 2
    np.testing.assert_array_equal(model.encode_texts(["red"]), ColourModel().encode_texts(["red"]))
    encoder.cuts = 99
    with pytest.raises(ModelError, match="does not answer"):
        model.encode_texts(["red"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fingerprint": "another"}, "now runs a different model"),
        ({"body": b"short"}, "sent 5 bytes"),
        ({"body": bytes(1 << 20)}, "exceeds the expected size"),
    ],
)
def test_rejects_invalid_answers(encoder, change, message):
    model = RemoteModel(encoder.url)
    assert model.info.dim
    for name, value in change.items():
        setattr(encoder, name, value)
    with pytest.raises(ModelError, match=message):
        model.encode_images(PICTURES[:2])


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"protocol": 2}, "version 2"),
        ({"dim": 1 << 40}, "invalid model facts"),
        ({"dim": "512"}, "invalid model facts"),
        ({"model_id": "x\x1b[31m"}, "invalid model facts"),
        ({"image": None}, "invalid model facts"),
        (
            {"image": {"size": 0, "mode": "squash", "interpolation": "bicubic"}},
            "invalid model facts",
        ),
        (
            {"image": {"size": 32, "mode": "stretch", "interpolation": "bicubic"}},
            "invalid model facts",
        ),
        ({"source": "x" * 100_000}, "exceeds the expected size"),
    ],
)
def test_rejects_invalid_model_facts(encoder, facts, message):
    encoder.facts = facts
    with pytest.raises(ModelError, match=message):
        RemoteModel(encoder.url).info  # noqa: B018


def test_rejects_invalid_addresses(encoder, waits):
    for url in ("http://127.0.0.1:9", "http://", "http://[::1", "http://127.0.0.1:99999"):
        with pytest.raises(ModelError, match=r"does not answer|not a valid encoder address"):
            RemoteModel(url).info  # noqa: B018
    encoder.answers = [(302, {"Location": "http://127.0.0.1:9/v1/model"})]
    with pytest.raises(ModelError, match="error 302"):
        RemoteModel(encoder.url, "secret").info  # noqa: B018
    with pytest.raises(ModelError, match="not a memery encoder"):
        RemoteModel(f"{encoder.url}/elsewhere").info  # noqa: B018


def test_builds_and_searches_archive_with_remote_model(encoder, tmp_path):
    for colour in ("red", "green", "blue"):
        paint(tmp_path / f"{colour}.png", colour)
    with Memery(tmp_path, model=encoder.url) as memery:
        assert memery.build().encoded == 3
        assert memery.recall("blue", top_k=1)[0].path == "blue.png"
    environment = os.environ | {"MEMERY_CONFIG": str(tmp_path / "none.toml")}
    words = ("recall", tmp_path, "green", "-n", "1", "--format", "paths", "--model", encoder.url)
    done = run_command(*words, env=environment)
    assert done.stdout == f"{tmp_path}/green.png\n"
    # The archive names the model, never the address: any model of that name can search it.
    asked = len(encoder.requests)
    with Memery(tmp_path) as memery:
        assert memery.recall("red", top_k=1)[0].path == "red.png"
    assert len(encoder.requests) == asked
