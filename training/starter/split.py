"""The validation split: by a hash of the photo's name, near-duplicates kept together."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .data import Photo
from .features import Floats
from .pictures import upright

CAPTIONED_QUOTA = {"flickr8k": 100, "coco": 200}  # photos in validation
LABELLED_SHARE = 0.2  # of every class of every labelled source
SAME_FEATURES = 0.95  # cosine of centred backbone features; one photo twice is above it
SAME_THUMBNAIL = 0.9  # correlation of 16 x 16 grey thumbnails; charts of one style are below it


def validation_mask(photos: Sequence[Photo], pooled: Floats) -> NDArray[np.bool_]:
    """Marks, bool [n], the photos that training must not see.

    Photos are put into groups (near-duplicates, screenshots of one program), groups into strata
    by their first photo's source and label, and each stratum gives its groups in the order of
    their hash until its quota is filled.
    """
    strata: dict[str, list[list[int]]] = defaultdict(list)
    for group in _groups(photos, pooled):
        strata[_stratum(photos[group[0]])].append(group)
    mask = np.zeros(len(photos), bool)
    for name, groups in strata.items():
        size = sum(len(group) for group in groups)
        labelled = photos[groups[0][0]].label is not None
        quota = round(LABELLED_SHARE * size) if labelled else CAPTIONED_QUOTA.get(name, 0)
        for group in sorted(groups, key=lambda group: _hash(photos[group[0]])):
            if mask[[i for g in groups for i in g]].sum() + len(group) <= quota:
                mask[group] = True
    return mask


def _stratum(photo: Photo) -> str:
    source = "coco" if photo.source.startswith("coco") else photo.source
    return source if photo.label is None else f"{source}/{photo.label}"


def _hash(photo: Photo) -> bytes:
    return hashlib.sha256(photo.path.name.encode()).digest()


def _groups(photos: Sequence[Photo], pooled: Floats) -> list[list[int]]:
    """Indices of photos that must stay on one side of the split, each group in photo order."""
    root = list(range(len(photos)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    features = _unit(pooled - pooled.mean(axis=0))
    thumbnails = _unit(np.stack([_thumbnail(photo) for photo in photos]))
    for start in range(0, len(photos), 1000):
        rows = slice(start, start + 1000)
        same = (features[rows] @ features.T > SAME_FEATURES) & (
            thumbnails[rows] @ thumbnails.T > SAME_THUMBNAIL
        )
        for i, j in np.argwhere(same):
            root[find(start + int(i))] = find(int(j))
    programs: dict[str, int] = {}
    for i, photo in enumerate(photos):
        if photo.source == "screens":
            program = photo.path.stem.rpartition("_")[0]
            root[find(i)] = find(programs.setdefault(program, i))
    members: dict[int, list[int]] = defaultdict(list)
    for i in range(len(photos)):
        members[find(i)].append(i)
    return list(members.values())


def _thumbnail(photo: Photo) -> Floats:
    """float32 [256]: the picture at 16 x 16, grey, its mean taken off."""
    small = upright(photo.path).convert("L").resize((16, 16), Image.Resampling.BOX)
    values = np.asarray(small, np.float32).ravel()
    return values - values.mean()


def _unit(rows: Floats) -> Floats:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
