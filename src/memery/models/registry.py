"""Models that memery offers by name; the data is in registry.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """A model that can be downloaded.

    Attributes:
        name: name that users type.
        repository: its repository on the hub.
        files: the files to download from the repository.
        licence: SPDX expression of the weights.
        dim: length of an embedding.
        size: approximate download size in bytes.
        speed: images per second, relative to clip-b32.
        languages: languages of queries that it understands.
        about: what the model is suited for.
        source: source of the figures.
        recommended: True for the model that `auto` selects.
        flickr30k_r1: text → image recall at 1 in percent, or None if not published.
        coco_r1: the same on COCO.
        prompts: templates such as "a photo of {}" that were measured to help short queries.
    """

    name: str
    repository: str
    files: tuple[str, ...]
    licence: str
    dim: int
    size: int
    speed: float
    languages: tuple[str, ...]
    about: str
    source: str
    recommended: bool = False
    flickr30k_r1: float | None = None
    coco_r1: float | None = None
    prompts: tuple[str, ...] = ()


@cache
def entries() -> Mapping[str, Entry]:
    """Return the models of the registry by name."""
    text = (Path(__file__).parent / "registry.toml").read_text(encoding="utf-8")
    return {
        name: Entry(
            **{
                "name": name,
                **facts,
                "files": tuple(facts["files"]),
                "languages": tuple(facts["languages"]),
                "prompts": tuple(facts.get("prompts", ())),
            }
        )
        for name, facts in tomllib.loads(text).items()
    }


def recommended() -> Entry:
    """Return the model to use by default."""
    return next(entry for entry in entries().values() if entry.recommended)
