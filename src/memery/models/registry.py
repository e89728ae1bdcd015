"""The models that memery offers by name: data, see registry.toml."""

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
        name: what users type.
        repository: where it lies on the hub.
        files: its files there; no others are downloaded.
        licence: SPDX expression of the weights.
        dim: numbers per embedding.
        size: bytes to download, about.
        speed: images per second, relative to clip-b32.
        languages: of queries.
        about: what it is good for.
        source: where the figures are from.
        recommended: the one that `auto` takes.
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
    """Every model of the registry by its name."""
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
