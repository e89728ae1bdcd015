"""The whole model over frozen features, in NumPy: what export.py writes as ONNX graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .features import Features, Floats
from .heads import Heads
from .recipe import Recipe
from .texts import ClassTexts


@dataclass(frozen=True, slots=True)
class LabelSpace:
    """Class probabilities and texts in one space (ConSE, Norouzi et al. 2014, with hypernyms).

    A picture is the mean of its classes' label vectors, weighted by their probabilities. A label
    vector mixes the class's synonyms with its ancestors, so that "dog" finds every breed.
    """

    centre: Floats  # [640], subtracted from tower outputs
    labels: Floats  # [1000, k], the label vectors in the basis
    basis: Floats  # [640, k], orthonormal columns

    @classmethod
    def build(cls, classes: ClassTexts, captions: Floats, recipe: Recipe) -> LabelSpace:
        """`captions` [m, 640] help to choose the basis."""
        share = recipe.label_synonyms
        vectors = unit(
            share * classes.joined + (1 - share) * classes.ancestor_means(recipe.label_ancestors)
        )
        centre = vectors.mean(axis=0)
        vectors = unit(vectors - centre)
        both = np.concatenate([vectors, unit(captions - centre)])
        _, eigenvectors = np.linalg.eigh(both.T @ both)
        basis = np.ascontiguousarray(eigenvectors[:, ::-1][:, : recipe.label_width])
        return cls(centre, vectors @ basis, basis)

    def pictures(self, classes: Floats) -> Floats:
        """Class probabilities [n, 1000] to unit vectors [n, k]."""
        return unit(classes @ self.labels)

    def texts(self, towers: Floats) -> Floats:
        """Tower outputs [n, 640] to vectors [n, k]; shorter than 1 by what the basis leaves out."""
        return unit(towers - self.centre) @ self.basis


@dataclass(frozen=True, slots=True)
class Encoder:
    """Images and texts to unit vectors of one space; a dot product is their score."""

    heads: Sequence[Heads]
    space: LabelSpace
    label_weight: float
    reduction: Floats | None = None  # [full width, dim], orthonormal columns

    def reduced(self, features: Features, towers: Floats, width: int) -> Encoder:
        """The same encoder on the `width` principal axes of these images and texts."""
        sides = (self.pictures(features), self.texts(towers))
        moments = sum(side.T @ side / len(side) for side in sides)
        _, eigenvectors = np.linalg.eigh(moments)
        axes = np.ascontiguousarray(eigenvectors[:, ::-1][:, :width], np.float32)
        return replace(self, reduction=axes)

    @property
    def width(self) -> int:
        """Dimensions of the space."""
        if self.reduction is not None:
            return self.reduction.shape[1]
        return sum(len(heads.image.bias) for heads in self.heads) + self.space.basis.shape[1]

    def pictures(self, features: Features) -> Floats:
        """float32 [n, dim]."""
        parts = [unit(heads.image(features.pooled)) for heads in self.heads]
        return self._join(parts, self.space.pictures(features.classes))

    def texts(self, towers: Floats) -> Floats:
        """float32 [n, dim]."""
        parts = [unit(heads.text(towers)) for heads in self.heads]
        return self._join(parts, self.space.texts(towers))

    def _join(self, parts: list[Floats], labels: Floats) -> Floats:
        scaled = [part / len(parts) ** 0.5 for part in parts]
        joined = np.concatenate([*scaled, labels * self.label_weight**0.5], axis=1)
        return unit(joined if self.reduction is None else joined @ self.reduction)


def unit(rows: Floats) -> Floats:
    """Rows divided by their L2 norms."""
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
