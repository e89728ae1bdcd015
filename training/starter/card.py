"""MODEL_CARD.md: origin of the weights, their figures, their limitations."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from string import Template

import numpy as np
from numpy.typing import NDArray

from .data import Photo

HERE = Path(__file__).parent
FIGURES = {
    "flickr8k": "flickr8k captions, text to image",
    "coco": "COCO captions, text to image",
}


def write(
    photos: Sequence[Photo],
    held_out: NDArray[np.bool_],
    figures: Mapping[str, float],
    model: Path,
    excluded: Collection[str],
) -> str:
    """The card of the exported files in `model`; `held_out` marks the validation photos."""
    facts = tomllib.loads((model / "starter.toml").read_text(encoding="utf-8"))
    template = Template((HERE / "MODEL_CARD.md.in").read_text(encoding="utf-8"))
    return template.substitute(
        version=facts["version"],
        fingerprint=facts["fingerprint"],
        dim=facts["dim"],
        files="\n".join(f"| {n} | {f['bytes'] / 1e6:.1f} MB |" for n, f in facts["files"].items()),
        megabytes=f"{sum(f['bytes'] for f in facts['files'].values()) / 1e6:.1f}",
        sources=_sources(photos, held_out),
        excluded=", ".join(sorted(excluded)) or "none",
        photos=len(photos),
        validation=int(held_out.sum()),
        captions=_caption_figures(figures),
        names=f"{figures['class names P@10']:.1f}",
        reworded=f"{figures['reworded P@10']:.1f}",
        words=f"{figures['everyday words P@10']:.1f}",
    )


def _sources(photos: Sequence[Photo], held_out: NDArray[np.bool_]) -> str:
    about = tomllib.loads((HERE / "sources.toml").read_text(encoding="utf-8"))
    unknown = {"data": "not described", "terms": "not known"}
    every = Counter(photo.source for photo in photos)
    kept = Counter(photo.source for photo, out in zip(photos, held_out, strict=True) if out)
    return "\n".join(
        f"| {name} | {count} | {kept[name]} | {entry['data']} | {entry['terms']} |"
        for name, count in sorted(every.items())
        for entry in [about.get(name, unknown)]
    )


def _caption_figures(figures: Mapping[str, float]) -> str:
    columns = ("R@1", "R@5", "R@10", "median")
    return "\n".join(
        f"| {title} | " + " | ".join(f"{figures[f'{key} {c}']:.1f}" for c in columns) + " |"
        for key, title in FIGURES.items()
        if f"{key} R@1" in figures
    )
