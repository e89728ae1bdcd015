"""Layout 4: the output of `memery models export`, described by a single manifest."""

from __future__ import annotations

from pathlib import Path

from memery.errors import ModelError
from memery.models.checks import CONTEXT_MAX, DIM_MAX, number, read_resize
from memery.models.clip.layouts.description import ImageTower, Layout, TextTower
from memery.models.clip.layouts.values import inside, read_toml, three

NAME = "a memery export"
MANIFEST = "memery.toml"
MARKS = (MANIFEST,)
FORMAT = 1


def read(folder: Path) -> Layout:
    """Read the manifest."""
    manifest = read_toml(folder / MANIFEST)
    if manifest["format"] != FORMAT:
        raise ModelError(
            f"{folder / MANIFEST} has format {manifest['format']!r}; this memery reads"
            f" format {FORMAT}. Update memery."
        )
    image, text = manifest["image"], manifest["text"]
    return Layout(
        number=4,
        image=ImageTower(
            files={kind: inside(folder, name) for kind, name in image["files"].items()},
            resize=read_resize(image),
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
