"""Retrieval figures on the validation photos, in percent."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .data import Photo
from .features import Floats

QUERIES = Path(__file__).parent / "queries.toml"
MOST = 10  # images that precision looks at

TextEncoder = Callable[[Sequence[str]], Floats]


def figures(photos: Sequence[Photo], pictures: Floats, encode: TextEncoder) -> dict[str, float]:
    """Every column of the model card that the photos allow; `pictures` [n, dim] is theirs."""
    queries = tomllib.loads(QUERIES.read_text(encoding="utf-8"))
    flickr = _where(photos, lambda p: p.source == "flickr8k")
    coco = _where(photos, lambda p: p.source.startswith("coco"))
    captioned = _where(photos, lambda p: p.label is None)
    labelled = _where(photos, lambda p: p.label is not None)
    table = {}
    for name, chosen in (("flickr8k", flickr), ("coco", coco)):
        if not len(chosen):  # the source was left out
            continue
        ranks = _caption_ranks([photos[i] for i in chosen], pictures[chosen], encode)
        for k in (1, 5, 10):
            table[f"{name} R@{k}"] = 100 * float((ranks < k).mean())
        table[f"{name} median"] = float(np.median(ranks)) + 1
    labels = np.array([photos[i].label for i in labelled])
    names = sorted(set(labels))
    for column, texts in (
        ("class names P@10", names),
        ("reworded P@10", [queries["rewordings"][name] for name in names]),
    ):
        scores = encode(texts) @ pictures[labelled].T
        right = [labels == name for name in names]
        table[column] = _precision(scores, right)
    words, mentions = _mentions(queries["words"], [photos[i] for i in captioned])
    table["everyday words P@10"] = _precision(encode(words) @ pictures[captioned].T, mentions)
    return table


def _where(photos: Sequence[Photo], test: Callable[[Photo], bool]) -> NDArray[np.int64]:
    return np.flatnonzero([test(photo) for photo in photos])


def _caption_ranks(
    photos: Sequence[Photo], pictures: Floats, encode: TextEncoder
) -> NDArray[np.int64]:
    """For every caption, how many other photos score higher than its own."""
    owner = np.repeat(np.arange(len(photos)), [len(photo.captions) for photo in photos])
    scores = encode([caption for photo in photos for caption in photo.captions]) @ pictures.T
    own = scores[np.arange(len(owner)), owner]
    return (scores > own[:, None]).sum(axis=1)


def _mentions(
    words: dict[str, str], photos: Sequence[Photo]
) -> tuple[list[str], list[NDArray[np.bool_]]]:
    """The words at least two photos' captions mention, and those photos.

    The captions leave much unsaid, so the precision is a lower bound, good for comparisons.
    """
    said = [" ".join(photo.captions).lower() for photo in photos]
    right = {
        word: np.array([bool(re.search(rf"\b({pattern})\b", text)) for text in said])
        for word, pattern in words.items()
    }
    kept = {word: mask for word, mask in right.items() if mask.sum() >= 2}
    return list(kept), list(kept.values())


def _precision(scores: Floats, right: Sequence[NDArray[np.bool_]]) -> float:
    """Mean over queries of the precision at min(10, number of right images)."""
    values = []
    for row, mask in zip(scores, right, strict=True):
        depth = min(MOST, int(mask.sum()))
        best = np.argsort(-row, kind="stable")[:depth]
        values.append(mask[best].mean())
    return 100 * float(np.mean(values))
