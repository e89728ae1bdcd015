"""The encoder: another memery's client against the server, over a socket; and everyone else's."""

import base64
import concurrent.futures
import io
import json
import threading
import time

import numpy as np
import pytest

from memery import Memery
from memery.errors import ModelBusy
from memery.imaging.decoding import decode
from memery.models.batching import BATCH, SharedModel
from memery.models.remote import RemoteModel
from memery.testing import ColourModel
from support.images import paint, png
from support.servers.memery import serving

TOKEN = "an-encoder's-token"
PICTURES = np.random.default_rng(0).integers(0, 256, (150, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def encoder():
    with serving(words=["--encoder-only", "--token", TOKEN]) as encoder:
        yield encoder


def ask(encoder, value, **headers):
    sent = {"Authorization": f"Bearer {TOKEN}"} | headers
    return encoder.post("/v1/encode", value, **sent)


def test_remote_model_gives_embeddings_of_the_server(encoder):
    remote, local = RemoteModel(encoder.url, TOKEN), ColourModel()
    assert remote.info.fingerprint == local.info.fingerprint
    assert (remote.info.dim, remote.info.resize.size) == (local.info.dim, 32)
    np.testing.assert_array_equal(remote.encode_images(PICTURES), local.encode_images(PICTURES))
    texts = ["red", "a blue \udcff thing", "grün", "", "red car"] * 30
    expected = local.encode_texts([text.encode("utf-8", "replace").decode() for text in texts])
    np.testing.assert_array_equal(remote.encode_texts(texts), expected)


def test_indexes_and_searches_folder_with_remote_model(encoder, tmp_path):
    paint(tmp_path / "red.png", "red")
    paint(tmp_path / "blue.png", "blue")
    with Memery(tmp_path, model=encoder.url, token=TOKEN) as memery:
        assert memery.build().searchable == 2
        assert memery.recall("blue", mode="visual")[0].path == "blue.png"


def test_encoder_serves_only_the_model(encoder):
    assert encoder.link.startswith(encoder.url)
    for path in ("/v1/search?text=red", "/v1/images", "/v1/index"):
        assert encoder.get(path, Authorization=f"Bearer {TOKEN}").status == 404
    facts = encoder.get("/v1/model", Authorization=f"Bearer {TOKEN}").json()
    assert (facts["model_id"], facts["dim"], facts["max_batch"]) == ("colours", 32, BATCH)
    assert encoder.get("/v1/model").status == 401


def test_gives_same_embeddings_in_every_form(encoder):
    texts = ["red", "green car"]
    expected = ColourModel().encode_texts(texts)
    as_json = ask(encoder, {"texts": texts})
    assert as_json.headers["Memery-Fingerprint"] == ColourModel().info.fingerprint
    np.testing.assert_allclose(as_json.json()["embeddings"], expected, atol=1e-6)
    npy = ask(encoder, {"texts": texts}, Accept="application/x-npy")
    loaded = np.load(io.BytesIO(npy.body), allow_pickle=False)
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, expected)
    raw = ask(encoder, {"texts": texts}, Accept="application/vnd.memery.vectors")
    np.testing.assert_array_equal(np.frombuffer(raw.body, "<f4").reshape(2, -1), expected)
    pixels = [base64.b64encode(picture.tobytes()).decode() for picture in PICTURES[:2]]
    found = ask(encoder, {"pictures": pixels}).json()["embeddings"]
    np.testing.assert_allclose(found, ColourModel().encode_images(PICTURES[:2]), atol=1e-6)
    files = [("image", "a.png", png("red", (90, 50))), ("image", "b.png", png("blue"))]
    answer = encoder.send_form("/v1/encode", files, Authorization=f"Bearer {TOKEN}")
    resize = ColourModel().info.resize
    upright = np.stack([decode(data, resize, 10**6).pixels for _, _, data in files])
    np.testing.assert_allclose(
        answer.json()["embeddings"], ColourModel().encode_images(upright), atol=1e-6
    )


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ({}, 422),
        ({"texts": []}, 422),
        ({"texts": ["a"], "pictures": []}, 422),
        ({"texts": [1]}, 422),
        ({"texts": ["a"] * 65}, 413),
        ({"texts": ["a" * 20_001]}, 413),
        ({"pictures": ["?"]}, 422),
        ({"pictures": ["AAAA"]}, 422),
        ({"words": ["a"]}, 422),
    ],
)
def test_rejects_invalid_requests(encoder, value, status):
    answer = ask(encoder, value)
    assert answer.status == status
    assert answer.json()["errors"]


def test_rejects_invalid_shapes(encoder):
    for shape, data in (
        ("1x32x32x3", b"x"), ("0x32x32x3", b""), ("2x31x32x3", b"x" * 5952), ("", b""),
        ("9999x32x32x3", b"x"), ("1x32x32x4", b"x" * 4096), ("-1x32x32x3", b""),
    ):  # fmt: skip
        headers = {
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": "application/vnd.memery.pictures",
            "Memery-Shape": shape,
        }
        assert encoder.ask("POST", "/v1/encode", data, headers).status == 422, shape


class Slow(ColourModel):
    """Waits until it is let go on, and remembers the sizes of its batches."""

    def __init__(self):
        super().__init__()
        self.go = threading.Event()
        self.began = threading.Event()
        self.sizes = []

    def encode_texts(self, texts):
        self.began.set()
        assert self.go.wait(30)
        self.sizes.append(len(texts))
        if "broken" in texts:
            raise ValueError("broken")
        return super().encode_texts(texts)


def test_joins_waiting_requests_into_one_batch():
    model = Slow()
    shared = SharedModel(model, waiting=8)
    first = shared.submit_texts(["red"])
    assert model.began.wait(30)
    others = [shared.submit_texts([word, "x"]) for word in ("blue", "green", "red")]
    broken = shared.submit_texts(["broken"])
    more = [shared.submit_texts(["x"]) for _ in range(4)]
    assert shared.waiting["texts"] == 8
    assert shared.is_full
    with pytest.raises(ModelBusy):
        shared.submit_texts(["one too many"])
    model.go.set()
    expected = ColourModel().encode_texts(["blue", "green", "red"])
    np.testing.assert_array_equal([future.result(30)[0] for future in others], expected)
    assert first.result(30).shape == (1, 32)
    with pytest.raises(ValueError, match="broken"):
        broken.result(30)
    assert all(future.result(30).shape == (1, 32) for future in more)
    # One first; then all together, which failed; then each alone.
    assert model.sizes == [1, 11, 2, 2, 2, 1, 1, 1, 1, 1]
    assert not shared.is_full
    shared.close()


def test_bounds_batches():
    model = Slow()
    shared = SharedModel(model)
    futures = [shared.submit_texts(["x"])]
    assert model.began.wait(30)
    futures += [shared.submit_texts(["x"] * 40) for _ in range(3)]
    model.go.set()
    assert [len(future.result(30)) for future in futures] == [1, 40, 40, 40]
    assert max(model.sizes) <= BATCH
    shared.close()


def test_gives_up_after_queue_timeout():
    model = Slow()
    shared = SharedModel(model, timeout=0.05)
    with pytest.raises(ModelBusy, match="did not answer"):
        shared.encode_texts(["red"])
    model.go.set()
    shared.close()


def test_tells_timeout_inside_a_model_from_a_busy_model():
    class Lost(ColourModel):
        def encode_texts(self, texts):
            raise TimeoutError("the disk of the model does not answer")

    shared = SharedModel(Lost())
    with pytest.raises(TimeoutError, match="the disk of the model"):
        shared.encode_texts(["red"])
    shared.close()


def test_fails_waiting_requests_when_the_model_is_closed():
    model = Slow()
    shared = SharedModel(model)
    first = shared.submit_texts(["red"])
    assert model.began.wait(30)
    waiting = shared.submit_texts(["blue"])
    closing = threading.Thread(target=shared.close)
    closing.start()
    said = ""
    while "shutting down" not in said:
        assert closing.is_alive()
        time.sleep(0.05)
        try:
            shared.submit_texts(["late"]).cancel()
        except ModelBusy as error:
            said = str(error)
    model.go.set()
    closing.join(30)
    assert not closing.is_alive()
    assert first.result(0).shape == waiting.result(0).shape == (1, 32)


@pytest.mark.slow
def test_recovers_from_a_full_queue():
    """More than the model can do: some are told to come again, the rest are right; then all are."""
    slow = {"TEXTS_SECONDS": "0.1"}
    with serving(limits={"requests": 400}, environment=slow, encoder_only=True) as encoder:
        body = json.dumps({"texts": ["red"] * 64}).encode()
        expected = ColourModel().encode_texts(["red"])[0]

        def one(_):
            answer = encoder.ask("POST", "/v1/encode", body, {"Content-Type": "application/json"})
            if answer.status == 503:
                assert answer.headers["Retry-After"]
            else:
                np.testing.assert_allclose(answer.json()["embeddings"][63], expected, atol=1e-6)
            return answer.status

        with concurrent.futures.ThreadPoolExecutor(160) as pool:
            statuses = list(pool.map(one, range(160)))
        assert set(statuses) == {200, 503}
        assert encoder.get("/readyz").status == 200
        assert ask(encoder, {"texts": ["red"]}).status == 200
        metrics = encoder.get("/metrics").body.decode()
        assert 'memery_encoder_waiting{name="texts"} 0.0' in metrics


def test_prints_address_without_page(encoder):
    assert "?token=" not in encoder.link
    assert any(line.endswith(f"with the token {TOKEN}") for line in encoder.lines)
