"""Layout 4: what `memery models export` writes; one manifest has every fact."""

from __future__ import annotations

from pathlib import Path

from memery.decoding import INTERPOLATIONS, Resize
from memery.errors import ModelError
from memery.models.clip.layouts.description import ImageTower, Layout, TextTower
from memery.models.clip.layouts.values import (
    CONTEXT_MAX,
    DIM_MAX,
    SIZE_MAX,
    inside,
    number,
    one_of,
    read_toml,
    three,
)

NAME = "a model of memery's own"
MANIFEST = "memery.toml"
MARKS = (MANIFEST,)
FORMAT = 1


def read(folder: Path) -> Layout:
    """Read the manifest."""
    manifest = read_toml(folder / MANIFEST)
    if manifest["format"] != FORMAT:
        raise ModelError(
            f"{folder / MANIFEST} is of format {manifest['format']!r}; this memery reads"
            f" {FORMAT}. Use a newer memery."
        )
    image, text = manifest["image"], manifest["text"]
    resize = Resize(
        size=number(image["size"], SIZE_MAX),
        mode=one_of(image["mode"], ("squash", "shortest")),
        interpolation=one_of(image["interpolation"], INTERPOLATIONS),
        edge=number(image.get("edge", image["size"]), SIZE_MAX),
        crop=one_of(image.get("crop", "floor"), ("floor", "round")),
    )
    return Layout(
        number=4,
        image=ImageTower(
            files={kind: inside(folder, name) for kind, name in image["files"].items()},
            resize=resize,
            mean=three(image.get("mean")),
            std=three(image.get("std")),
        ),
        text=TextTower(
            files={kind: inside(folder, name) for kind, name in text["files"].items()},
            tokenizer=inside(folder, text["tokenizer"]),
            clean=str(text["clean"]),
            context=number(text["context"], CONTEXT_MAX),
            pad=text.get("pad"),
        ),
        dim=number(manifest["dim"], DIM_MAX),
        licence=str(manifest.get("licence", "")),
        source=str(manifest.get("source", "")),
        described=(folder / MANIFEST,),
    )
