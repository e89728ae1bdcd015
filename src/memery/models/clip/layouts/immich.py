"""Layout 1: exports of Immich, with the configuration of open_clip."""

from __future__ import annotations

from pathlib import Path

from memery.imaging.resizing import INTERPOLATIONS, Resize
from memery.models.checks import CONTEXT_MAX, DIM_MAX, number, one_of
from memery.models.clip.layouts.description import ImageTower, Layout, TextTower
from memery.models.clip.layouts.values import read_json, square, three, token

NAME = "an Immich export"
MARKS = (
    *("config.json", "visual/model.onnx", "visual/preprocess_cfg.json"),
    *("textual/model.onnx", "textual/tokenizer.json", "textual/tokenizer_config.json"),
)
_CONTEXT = 77
"""open_clip's CLIPTextCfg.context_length, the default if config.json omits it."""


def read(folder: Path) -> Layout:
    """Read the configurations of the model, its image preprocessing and its tokenizer."""
    config, visual, textual = folder / "config.json", folder / "visual", folder / "textual"
    facts = read_json(config)
    facts = facts.get("model_cfg", facts)
    preprocess, tokens = visual / "preprocess_cfg.json", textual / "tokenizer_config.json"
    image_config, text_config = read_json(preprocess), facts.get("text_cfg", {})
    size = image_config["size"]
    cleaning = (text_config.get("tokenizer_kwargs") or {}).get("clean")
    return Layout(
        number=1,
        image=ImageTower(
            files={"fp32": visual / "model.onnx"},
            resize=Resize(
                size=square(size),
                mode=one_of(image_config.get("resize_mode", "shortest"), ("squash", "shortest")),
                interpolation=one_of(image_config.get("interpolation", "bicubic"), INTERPOLATIONS),
            ),
            mean=three(image_config["mean"]),
            std=three(image_config["std"]),
        ),
        text=TextTower(
            files={"fp32": textual / "model.onnx"},
            tokenizer=textual / "tokenizer.json",
            clean="canonicalize" if cleaning == "canonicalize" else "whitespace",
            context=number(text_config.get("context_length", _CONTEXT), CONTEXT_MAX),
            pad=token(read_json(tokens)["pad_token"]),
        ),
        dim=number(facts["embed_dim"], DIM_MAX),
        described=(config, preprocess, tokens),
    )
