"""Processor time of one image and of one query on one thread, with the shipped files."""

import os
import time
from pathlib import Path

from benchmarks.measure import say
from memery.imaging.decoding import decode
from memery.models import selection

_NO_LIMIT = 1 << 40
_QUERIES = 200


def run(folder: Path) -> None:
    """Budgets: 25 ms for an image with decoding and resizing, 3 ms for a warm query."""
    os.sched_setaffinity(0, {0})  # the model uses one thread per processor
    model = selection.open_model("starter")
    info = model.info
    files = [file.read_bytes() for file in sorted(folder.glob("*.jpg"))[:100]]

    def encode(data: bytes) -> None:
        model.encode_images(decode(data, info.resize, _NO_LIMIT).pixels[None])

    encode(files[0])
    began = time.process_time()
    for data in files:
        encode(data)
    image = (time.process_time() - began) / len(files)
    model.encode_texts(["a dog"])
    began = time.process_time()
    model.encode_texts([f"a dog and {number} people on a beach" for number in range(_QUERIES)])
    query = (time.process_time() - began) / _QUERIES
    say("single", picture_ms=round(1000 * image, 1), query_ms=round(1000 * query, 2))
