"""The common description of a model's folder, whatever its layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from memery.imaging.resizing import Resize


@dataclass(frozen=True, slots=True)
class ImageTower:
    """The image side of a model's folder.

    Attributes:
        files: precision ("fp32", "int8") → ONNX file.
        resize: how an image is resized to the tower's square; size 0 if only the network tells.
        mean: of each channel, 0 to 1; None if the network normalises its input.
        std: of each channel, 0 to 1; None if the network normalises its input.
    """

    files: Mapping[str, Path]
    resize: Resize
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class TextTower:
    """The text side of a model's folder.

    Attributes:
        files: precision → ONNX file.
        tokenizer: a tokenizer.json, or a list of byte-pair merges (.txt.gz).
        clean: what happens to a text before, one of `memery.models.clip.text.CLEANINGS`.
        context: tokens at most; 0 where only the network tells.
        pad: the token, or its number, that fills a text up; None where nothing fills.
    """

    files: Mapping[str, Path]
    tokenizer: Path
    clean: str
    context: int
    pad: str | int | None


@dataclass(frozen=True, slots=True)
class Layout:
    """What a model's folder says.

    Attributes:
        number: 1 to 4.
        image: the image side.
        text: the text side.
        dim: numbers per embedding; 0 where only the network tells.
        licence: what the folder says, or "".
        source: where the model comes from, as the folder says, or "".
        described: further files that decide about embeddings.
    """

    number: int
    image: ImageTower
    text: TextTower
    dim: int = 0
    licence: str = ""
    source: str = ""
    described: tuple[Path, ...] = ()
