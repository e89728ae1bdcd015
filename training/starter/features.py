"""Backbone features of every photo and view, computed once and kept in the build folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from memery.process.telemetry import import_onnxruntime

from . import backbone, pictures
from .data import Photo
from .graph import Graph, save

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Features:
    """The backbone's output for n images."""

    pooled: Floats  # [n, 1280]
    classes: Floats  # [n, 1000], probabilities

    def rows(self, index: NDArray[np.int64]) -> Features:
        """The features of some of the images."""
        return Features(self.pooled[index], self.classes[index])


def session(path: Path) -> Any:
    """An ONNX Runtime session on one thread, so that results do not depend on the machine's."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def write_backbone(path: Path) -> None:
    """Exports the bare backbone in full precision: uint8 images to features and classes."""
    graph = Graph()
    pooled, classes = backbone.add_backbone(graph, backbone.load(), "image")
    size = pictures.IMAGE_SIZE
    model = graph.model(
        {"image": (TensorProto.UINT8, ["batch", size, size, 3])},
        {
            "pooled": (pooled, ["batch", backbone.CHANNELS]),
            "classes": (classes, ["batch", backbone.CLASSES]),
        },
    )
    save(model, path)


def extract(photos: Sequence[Photo], view: str, build: Path) -> Features:
    """The features of one view of all photos, from the build folder if they are there."""
    names = "\n".join(f"{photo.path.name} {photo.path.stat().st_size}" for photo in photos)
    digest = hashlib.sha256(f"{view}\n{names}".encode()).hexdigest()[:16]
    cache = build / f"features-{view}-{digest}.npz"
    if not cache.exists():
        build.mkdir(parents=True, exist_ok=True)
        model = build / "backbone.onnx"
        if not model.exists():
            write_backbone(model)
        network = session(model)
        pooled, classes = zip(
            *(network.run(None, {"image": pictures.view(p.path, view)[None]}) for p in photos),
            strict=True,
        )
        np.savez(cache, pooled=np.concatenate(pooled), classes=np.concatenate(classes))
    with np.load(cache) as arrays:
        return Features(arrays["pooled"], arrays["classes"])
