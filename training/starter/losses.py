"""The four losses of a step, over L2-normalised embeddings of width d."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .features import Floats


def contrastive(
    image: Tensor,
    text: Tensor,
    scale: Tensor,
    *,
    photos: Tensor,
    labels: Tensor,
    labelled_weight: float,
) -> Tensor:
    """Symmetric contrastive loss over one matrix of captioned and labelled pairs.

    `image` and `text` are [n, d], row i a pair; `photos` [n] identifies the photo, `labels` [n]
    is -1 for photos with captions of their own. Three kinds of pairs are no negatives: the same
    photo drawn twice, two of the same label, and a captioned photo with a class's weak caption,
    which may well be true of it.
    """
    logits = scale * image @ text.T
    weak = labels >= 0
    same = (photos[:, None] == photos) | (weak & (labels[:, None] == labels))
    same.fill_diagonal_(False)
    logits = logits.masked_fill(same | (~weak[:, None] & weak), float("-inf"))
    target = torch.arange(len(image))
    rows = functional.cross_entropy(logits, target, reduction="none")
    rows = (rows + functional.cross_entropy(logits.T, target, reduction="none")) / 2
    loss = rows[~weak].mean()
    return loss + labelled_weight * rows[weak].mean() if weak.any() else loss


def distillation(image: Tensor, names: Tensor, scale: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy between the classifier's probabilities and those of the class texts.

    `teacher` [n, 1000] against the softmax over similarities of `image` [n, d] to `names`
    [1000, d].
    """
    return functional.cross_entropy(scale * image @ names.T, teacher)


def ancestors(ancestor: Tensor, name: Tensor) -> Tensor:
    """Draws the text of a hypernym [k, d] to its class's text [k, d], which stays put."""
    return 0.5 * (1 - (ancestor * name.detach()).sum(dim=-1)).mean()


def pairs(image: Tensor, text: Tensor, scale: Tensor) -> Tensor:
    """Plain symmetric contrastive loss over k pairs (Radford et al. 2021, CLIP)."""
    logits = scale * image @ text.T
    target = torch.arange(len(image))
    return (
        functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
    ) / 2


class PseudoPictures:
    """Made-up features for classes that the training photos do not show.

    max(0, mean + u (photo - mean) + s row / |row|^2) with u in 0..0.7 and s in 6..14: a toned
    down random photo, pushed along the class's classifier row.
    """

    def __init__(self, pooled: Floats, class_rows: Floats) -> None:
        self._mean = pooled.mean(axis=0)
        self._offsets = pooled - self._mean
        self._directions = class_rows / (class_rows**2).sum(axis=1, keepdims=True)

    def draw(self, classes: NDArray[np.int64], rng: np.random.Generator) -> Floats:
        """[len(classes), 1280]."""
        photos = rng.integers(len(self._offsets), size=len(classes))
        toned = rng.uniform(0.0, 0.7, (len(classes), 1)) * self._offsets[photos]
        pushed = rng.uniform(6.0, 14.0, (len(classes), 1)) * self._directions[classes]
        return np.maximum(0.0, self._mean + toned + pushed)
