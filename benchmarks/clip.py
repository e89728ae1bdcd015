"""A CLIP model: building compared with a bare loop, cold searches, gain and cost of 8 bits."""

import itertools
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from evaluation.folders import image_files

from benchmarks.measure import memery, say, spent
from memery import index_flow
from memery.config import processors
from memery.imaging.decoding import decode
from memery.models import quantization
from memery.models.clip import ClipModel
from memery.models.clip.encoders import ImageEncoder
from memery.models.clip.preparation import prepare
from memery.process.telemetry import import_onnxruntime

BATCH, ROUNDS, QUERIES = 32, 3, 5
_NO_LIMIT = 1 << 40


def run(model: Path, photos: Path) -> None:
    """Budget: building at 0.9 of the bare loop's images per second."""
    files = image_files(photos)
    spent(memery("models", "quantize", str(model)))
    for precision in ("fp32", "int8"):
        _recalls(model, photos, precision)
    _throughput(model, photos, files)
    _precision(model, files)


def _throughput(model: Path, photos: Path, files: list[Path]) -> None:
    tensors = _tensors(model, files)
    pairs = [(_bare_loop(model, tensors), _building(model, photos)) for _ in range(ROUNDS)]
    ratio = statistics.median(bare / build for bare, build in pairs)
    rate = statistics.median(len(files) / build for _, build in pairs)
    say("clip build", images=len(files), images_s=round(rate, 1), ratio=round(ratio, 2))


def _tensors(model: Path, files: list[Path]) -> list[np.ndarray]:
    """All images as input of the network, in batches: the bare loop does not decode them."""
    resize = ClipModel(model, "x").info.resize
    images = np.stack([decode(file.read_bytes(), resize, _NO_LIMIT).pixels for file in files])
    runner = ImageEncoder(prepare(model, "fp32").images)
    starts = range(0, len(images), BATCH)
    return [runner.preprocess(images[start : start + BATCH]) for start in starts]


def _bare_loop(model: Path, tensors: list[np.ndarray]) -> float:
    """Seconds of plain onnxruntime, with one thread per processor."""
    images = prepare(model, "fp32").images
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = processors()
    session = onnxruntime.InferenceSession(images.file, options)
    started = time.perf_counter()
    for tensor in tensors:
        session.run([images.output], {images.input: tensor})
    return time.perf_counter() - started


def _building(model: Path, photos: Path) -> float:
    """Seconds of the indexing flow into a new archive, including loading the model."""
    with tempfile.TemporaryDirectory() as archive:
        started = time.perf_counter()
        index_flow(photos, model=str(model), archive=Path(archive))
        return time.perf_counter() - started


def _precision(model: Path, files: list[Path]) -> None:
    resize = ClipModel(model, "x").info.resize
    images = np.stack([decode(file.read_bytes(), resize, _NO_LIMIT).pixels for file in files[:64]])
    cost = quantization.compare(model, images)
    small = ClipModel(model, "x", precision="int8", device="cpu")
    together = small.encode_images(images)
    alone = np.concatenate([small.encode_images(image[None]) for image in images])
    say(
        "clip int8",
        speed=round(cost.speed, 2),
        image_cosine=round(cost.image_cosine, 5),
        least=round(cost.image_least, 5),
        text_cosine=round(cost.text_cosine, 5),
        batch_mates=round(float((together * alone).sum(axis=1).min()), 5),
    )


def _recalls(model: Path, photos: Path, precision: str) -> None:
    """Wall-clock seconds of whole commands: a new text each time, then the same text again."""
    words = ["--model", str(model), "--precision", precision]
    folder = Path(tempfile.mkdtemp())
    try:
        where = [str(photos), *words, "--archive", str(folder / "archive")]
        spent(memery("build", *where))
        texts = [f"a dog and {number} cats" for number in range(QUERIES)]
        cold = [spent(memery("recall", *where, "--no-index", text)) for text in texts]
        again = [spent(memery("recall", *where, "--no-index", text)) for text in texts]
    finally:
        shutil.rmtree(folder)
    both = itertools.chain(cold, again)
    say(
        f"clip recall {precision}",
        new_s=round(statistics.median(run.wall for run in cold), 2),
        new_cpu_s=round(statistics.median(run.cpu for run in cold), 2),
        repeated_s=round(statistics.median(run.wall for run in again), 2),
        rss_mb=max(run.rss for run in both) // 1_000_000,
    )
