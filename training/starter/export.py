"""The trained encoder as two ONNX files, two tokenizers and the facts about them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import TensorProto

from memery.process.telemetry import import_onnxruntime

from . import backbone, language, texts
from .encoder import Encoder
from .graph import Graph, save
from .heads import Affine
from .pictures import IMAGE_SIZE

FILES = ("image.onnx", "text.onnx", "tokenizer.json", "words.json")  # the fingerprint's order
VERSION = "1.0"


def write(encoder: Encoder, towers: texts.TextTowers, folder: Path) -> None:
    """Writes everything the runtime needs into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_image(encoder, folder / "image.onnx")
    _write_text(encoder, towers, folder / "text.onnx")
    (folder / "tokenizer.json").write_text(towers.minilm.tokenizer_json, encoding="utf-8")
    (folder / "words.json").write_text(towers.wordllama.tokenizer_json, encoding="utf-8")
    (folder / "starter.toml").write_text(_facts(folder, encoder.width), encoding="utf-8")


def _write_image(encoder: Encoder, path: Path) -> None:
    """The image tower, its weights kept as float16 and cast to float32 when loaded."""
    graph = Graph(half=True)
    pooled, classes = backbone.add_backbone(graph, backbone.load(), "image")
    parts = _heads(graph, pooled, [heads.image for heads in encoder.heads])
    labels = graph.unit(graph.linear(classes, encoder.space.labels))
    embedding = _join(graph, encoder, parts, labels)
    model = graph.model(
        {"image": (TensorProto.UINT8, ["batch", IMAGE_SIZE, IMAGE_SIZE, 3])},
        {"embedding": (embedding, ["batch", encoder.width])},
    )
    save(model, path)


def _write_text(encoder: Encoder, towers: texts.TextTowers, path: Path) -> None:
    """The text tower in int8: a scale for each row of a table and each column of a matrix.

    Activations are quantised as they come.
    """
    graph = Graph(byte_tables=True)
    joined = texts.add_towers(graph, towers.minilm, towers.wordllama)
    parts = _heads(graph, joined, [heads.text for heads in encoder.heads])
    space = encoder.space
    centred = graph.unit(graph.node("Sub", joined, graph.weight(space.centre)))
    embedding = _join(graph, encoder, parts, graph.linear(centred, space.basis))
    model = graph.model(language.TEXT_INPUTS, {"embedding": (embedding, ["batch", encoder.width])})
    full = path.with_suffix(".float.onnx")
    save(model, full)
    quantization = import_onnxruntime("quantization")
    quantization.quantize_dynamic(
        full,
        path,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=quantization.QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )
    full.unlink()


def _heads(graph: Graph, x: str, heads: Sequence[Affine]) -> str:
    """All heads as one matrix; each part of the outcome has length 1."""
    weight = np.concatenate([head.weight for head in heads], axis=1)
    bias = np.concatenate([head.bias for head in heads])
    parts = graph.node("Reshape", graph.linear(x, weight, bias), graph.ints([0, len(heads), -1]))
    return graph.node("Reshape", graph.unit(parts), graph.ints([0, -1]))


def _join(graph: Graph, encoder: Encoder, parts: str, labels: str) -> str:
    weight = encoder.label_weight * len(encoder.heads)
    scaled = graph.node("Mul", labels, graph.scalar(weight**0.5))
    joined = graph.node("Concat", parts, scaled, axis=-1)
    if encoder.reduction is not None:
        joined = graph.linear(joined, encoder.reduction)
    return graph.unit(joined)


def _facts(folder: Path, width: int) -> str:
    data = {name: (folder / name).read_bytes() for name in FILES}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in data.items()}
    fingerprint = hashlib.sha256("".join(digests.values()).encode("ascii")).hexdigest()
    lines = [
        "# Written by training/starter/export.py.",
        'model_id = "starter"',
        f'version = "{VERSION}"',
        "# sha256 of the hexadecimal digests below, joined in the order of [files].",
        f'fingerprint = "{fingerprint}"',
        f"dim = {width}",
        f"image_size = {IMAGE_SIZE}",
        'resize = "squash"',
        'interpolation = "bicubic"',
        f"text_context = {language.TEXT_CONTEXT}",
        'licence = "Apache-2.0 AND MIT AND WordNet-3.0"',
        'source = "memery training/starter: EfficientNet-Lite2, MiniLM-L6, wordllama, WordNet"',
        'text_graph_optimization = "disabled"',
        'image_graph_optimization = "all"',
        "",
        "[files]",
        *(
            f'"{name}" = {{ bytes = {len(data[name])}, sha256 = "{digests[name]}" }}'
            for name in FILES
        ),
    ]
    return "\n".join(lines) + "\n"
