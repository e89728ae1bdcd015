"""Description of a model folder, the same for every layout."""

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
        resize: how an image is resized to the tower's square; size 0 if only the network states it.
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
        clean: how a text is cleaned before tokenizing, one of
            `memery.models.clip.text.CLEANINGS`.
        context: maximum number of tokens; 0 if only the network states it.
        pad: padding token or its id; None to pad with the end token.
    """

    files: Mapping[str, Path]
    tokenizer: Path
    clean: str
    context: int
    pad: str | int | None


@dataclass(frozen=True, slots=True)
class Layout:
    """The description of a model folder.

    Attributes:
        number: number of the layout, 1 to 4.
        image: the image side.
        text: the text side.
        dim: length of an embedding; 0 if only the network states it.
        licence: licence that the folder states, or "".
        source: origin that the folder states, or "".
        described: further files that affect the embeddings.
    """

    number: int
    image: ImageTower
    text: TextTower
    dim: int = 0
    licence: str = ""
    source: str = ""
    described: tuple[Path, ...] = ()
