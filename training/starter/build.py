"""From photos to an encoder: everything between the folders and the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import backbone, heads
from .data import Photo
from .encoder import Encoder, LabelSpace
from .features import Features
from .recipe import Recipe
from .texts import Captions, ClassTexts, TextTowers
from .wordnet import ImageClass


@dataclass(frozen=True, slots=True)
class Collection:
    """All photos with their features, one row each, and the class texts."""

    photos: Sequence[Photo]
    views: Mapping[str, Features]
    towers: TextTowers
    classes: Sequence[ImageClass]


def encoder(collection: Collection, chosen: NDArray[np.int64], recipe: Recipe) -> Encoder:
    """Trains on the chosen photos and on no other."""
    photos = [collection.photos[i] for i in chosen]
    names = sorted({photo.label for photo in photos if photo.label})
    classes = ClassTexts(collection.classes, collection.towers)
    captions = Captions([photo.captions for photo in photos], collection.towers)
    material = heads.Material(
        views={name: view.rows(chosen) for name, view in collection.views.items()},
        captions=captions,
        labels=np.array([names.index(p.label) if p.label else -1 for p in photos]),
        repeats=np.array([_repeats(photo) for photo in photos]),
        classes=classes,
        class_rows=backbone.class_rows(backbone.load()),
    )
    flickr = np.flatnonzero([photo.source == "flickr8k" for photo in photos])
    captioned = np.flatnonzero(material.labels < 0)
    space = LabelSpace.build(classes, captions.of(flickr if len(flickr) else captioned), recipe)
    full = Encoder(heads.train(material, recipe), space, recipe.label_weight)
    everything = captions.of(np.arange(len(photos)))
    return full.reduced(material.views["plain"], everything, recipe.width)


def _repeats(photo: Photo) -> int:
    """How often one pass draws the photo; labelled ones have batches of their own."""
    if photo.label is not None:
        return 0
    return 2 if photo.source == "flickr8k" else 1
