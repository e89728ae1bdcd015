"""Layout 3: exports for transformers.js, with the configuration of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from memery.errors import ModelError
from memery.imaging.resizing import INTERPOLATIONS, Resize
from memery.models.checks import CONTEXT_MAX, DIM_MAX, SIZE_MAX, number
from memery.models.clip.layouts.description import ImageTower, Layout, TextTower
from memery.models.clip.layouts.values import read_json, square, three, token

NAME = "a transformers.js export"
MARKS = (
    *("config.json", "preprocessor_config.json", "tokenizer.json"),
    *("onnx/vision_model*.onnx", "onnx/text_model*.onnx"),
)
_CONTEXTS = {"clip": 77, "siglip": 64, "siglip2": 64}
"""Defaults of transformers' text configurations, which config.json omits."""
_BICUBIC = 3
_PAD = 1
"""Defaults of transformers' processors and of SiglipTextConfig."""
_ALMOST = 1e-9


def read(folder: Path) -> Layout:
    """Read the configurations of the model, its image preprocessing and its tokenizer."""
    config, processor = folder / "config.json", folder / "preprocessor_config.json"
    facts, image_config = read_json(config), read_json(processor)
    text_config = facts.get("text_config") or {}
    tokens = folder / "tokenizer_config.json"
    tokenizer_config = read_json(tokens) if tokens.exists() else {}
    family = str(facts.get("model_type", ""))
    normalised = image_config.get("do_normalize", True)
    return Layout(
        number=3,
        image=ImageTower(
            files=_variants(folder / "onnx", "vision_model"),
            resize=processor_resize(image_config),
            mean=three(image_config["image_mean"] if normalised else (0, 0, 0)),
            std=three(image_config["image_std"] if normalised else (1, 1, 1)),
        ),
        text=TextTower(
            files=_variants(folder / "onnx", "text_model"),
            tokenizer=folder / "tokenizer.json",
            clean="none",
            context=_transformers_context(text_config, tokenizer_config, family),
            # SigLIP attends to padding; CLIP ignores what follows its end token.
            pad=_padding(folder, text_config, tokenizer_config)
            if family.startswith("siglip")
            else None,
        ),
        dim=number(
            facts.get("projection_dim") or text_config.get("projection_size") or 0, DIM_MAX, 0
        ),
        licence=str(facts.get("license", "")),
        described=tuple(file for file in (config, processor, tokens) if file.exists()),
    )


def processor_resize(image_config: Mapping[str, Any]) -> Resize:
    """Convert the settings of a transformers image processor to a `Resize`.

    Raises:
        ModelError: the settings are not supported.
    """
    if (
        not image_config.get("do_resize", True)
        or abs(image_config.get("rescale_factor", 1 / 255) - 1 / 255) > _ALMOST
    ):
        raise ModelError(
            "The image processor does not resize images, or does not scale pixels to 0 … 1."
        )
    interpolation = INTERPOLATIONS[image_config.get("resample", _BICUBIC)]
    size = image_config["size"]
    if isinstance(size, dict) and "height" in size:
        return Resize(square((size["height"], size["width"])), "squash", interpolation)
    edge = number(size["shortest_edge"] if isinstance(size, dict) else size, SIZE_MAX)
    if not image_config.get("do_center_crop", True):
        raise ModelError("The image processor does not crop images to a square.")
    crop = image_config.get("crop_size", edge)
    side = square((crop["height"], crop["width"]) if isinstance(crop, dict) else crop)
    if side > edge:
        raise ModelError("The image processor crops to a larger size than it resizes to.")
    return Resize(side, "shortest", interpolation, edge)


def _transformers_context(
    text_config: Mapping[str, Any], tokenizer_config: Mapping[str, Any], family: str
) -> int:
    length = text_config.get("max_position_embeddings") or tokenizer_config.get("model_max_length")
    if isinstance(length, int) and 0 < length <= CONTEXT_MAX:
        return length
    return _CONTEXTS.get(family, 0)


def _padding(
    folder: Path, text_config: Mapping[str, Any], tokenizer_config: Mapping[str, Any]
) -> str | int | None:
    if "pad_token" in tokenizer_config:
        return token(tokenizer_config["pad_token"])
    if isinstance(text_config.get("pad_token_id"), int):
        return int(text_config["pad_token_id"])
    padding = read_json(folder / "tokenizer.json").get("padding") or {}
    return int(padding.get("pad_id", _PAD))


def _variants(folder: Path, name: str) -> dict[str, Path]:
    """Find the file of each precision; half precision only if full precision is missing."""
    names = {"fp32": ("", "_fp16"), "int8": ("_quantized", "_int8", "_uint8")}
    found = {}
    for kind, endings in names.items():
        files = (folder / f"{name}{ending}.onnx" for ending in endings)
        file = next((file for file in files if file.exists()), None)
        if file is not None:
            found[kind] = file
    return found
