"""The training data: folders of images with a captions.jsonl each."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Photo:
    """An image file with its captions and label."""

    path: Path
    source: str
    captions: tuple[str, ...]
    label: str | None = None  # class name; None for a captioned photo


def load(folder: Path, exclude: Collection[str] = ()) -> list[Photo]:
    """The photos of one folder, in file order, without those of the excluded sources."""
    photos = []
    for line in (folder / "captions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["source"] not in exclude:
            photos.append(
                Photo(
                    path=folder / row["file"],
                    source=row["source"],
                    captions=tuple(_tidy(caption) for caption in row["captions"]),
                    label=row.get("label"),
                )
            )
    return sorted(photos, key=lambda photo: photo.path.name)


def _tidy(caption: str) -> str:
    """Flickr8k's captions are tokenised: " ." and " ," lose their space."""
    return re.sub(r"\s+([.,!?])", r"\1", caption).strip()
