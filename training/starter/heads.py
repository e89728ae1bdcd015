"""Training of the linear heads that map images and texts into one space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from . import losses
from .features import Features, Floats
from .recipe import Recipe
from .texts import Captions, ClassTexts


@dataclass(frozen=True, slots=True)
class Material:
    """Training data of the heads; arrays have a row for each of the n photos."""

    views: Mapping[str, Features]
    captions: Captions
    labels: NDArray[np.int64]  # [n], -1 for photos with captions of their own
    repeats: NDArray[np.int64]  # [n], how often a captioned photo is drawn in one pass
    classes: ClassTexts
    class_rows: Floats  # [1000, 1280], the classifier's


@dataclass(frozen=True, slots=True)
class Affine:
    """x times weight [n, m] plus bias [m]."""

    weight: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        """[k, n] to [k, m]."""
        return x @ self.weight + self.bias


@dataclass(frozen=True, slots=True)
class Heads:
    """One pair of heads; each takes raw features or tower outputs, standardisation included."""

    image: Affine
    text: Affine


@dataclass(frozen=True, slots=True)
class Scaling:
    """Standardisation of both sides, from the captioned photos and their captions alone."""

    image_mean: Floats
    image_deviation: Floats
    text_mean: Floats
    text_deviation: float

    @classmethod
    def of(cls, material: Material) -> Scaling:
        """Measured on the unchanged view."""
        pooled = material.views["plain"].pooled[material.labels < 0]
        captions = material.captions.of(np.flatnonzero(material.labels < 0))
        return cls(
            pooled.mean(axis=0),
            pooled.std(axis=0) + 0.001,
            captions.mean(axis=0),
            float(captions.std(axis=0).mean()),
        )


def train(material: Material, recipe: Recipe) -> list[Heads]:
    """One pair of heads for every seed."""
    scaling = Scaling.of(material)
    return [_train_pair(material, scaling, recipe, seed) for seed in recipe.seeds]


def _train_pair(material: Material, scaling: Scaling, recipe: Recipe, seed: int) -> Heads:
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # the order of additions, and so the weights, depend on it
    torch.set_flush_denormal(True)
    rng = np.random.default_rng(seed)
    model = _Pair(material.class_rows.shape[1], len(scaling.text_mean), recipe)
    scales = [p for name, p in model.named_parameters() if name.endswith("_scale")]
    matrices = [p for name, p in model.named_parameters() if not name.endswith("_scale")]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": recipe.weight_decay},
            {"params": scales, "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, recipe))
    views = list(material.views.values())
    pseudo = losses.PseudoPictures(views[0].pooled[material.labels < 0], material.class_rows)
    for batch in _batches(material, recipe, rng):
        choice = rng.integers(len(views), size=len(batch))
        pooled = np.stack([views[v].pooled[i] for v, i in zip(choice, batch, strict=True)])
        teacher = np.stack([views[v].classes[i] for v, i in zip(choice, batch, strict=True)])
        captions = material.captions.draw(batch, rng, recipe.average_captions)
        names = material.classes.draw(rng)
        some = rng.choice(len(names), recipe.class_batch, replace=False)
        ancestors = material.classes.draw_ancestors(rng)[some]

        image = model.image(_standard(pooled, scaling.image_mean, scaling.image_deviation))
        text = model.text(_standard(captions, scaling.text_mean, scaling.text_deviation))
        name = model.text(_standard(names, scaling.text_mean, scaling.text_deviation))
        ancestor = model.text(_standard(ancestors, scaling.text_mean, scaling.text_deviation))
        imagined = model.image(
            _standard(pseudo.draw(some, rng), scaling.image_mean, scaling.image_deviation)
        )
        scale = model.contrastive_scale.exp().clamp(max=recipe.contrastive_scale_limit)
        loss = (
            losses.contrastive(
                image,
                text,
                scale,
                photos=torch.from_numpy(batch),
                labels=torch.from_numpy(material.labels[batch]),
                labelled_weight=recipe.labelled_weight,
            )
            + recipe.distillation_weight
            * losses.distillation(
                image, name, model.distillation_scale.exp(), torch.from_numpy(teacher)
            )
            + recipe.ancestor_weight * losses.ancestors(ancestor, name[some])
            + recipe.pseudo_weight * losses.pairs(imagined, name[some], scale)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.folded(scaling)


class _Pair(nn.Module):
    def __init__(self, image_width: int, text_width: int, recipe: Recipe) -> None:
        super().__init__()
        self.image_head = nn.Linear(image_width, recipe.head_width)
        self.text_head = nn.Linear(text_width, recipe.head_width)
        self.contrastive_scale = nn.Parameter(torch.tensor(recipe.contrastive_scale).log())
        self.distillation_scale = nn.Parameter(torch.tensor(recipe.distillation_scale).log())
        self._dropout = (recipe.image_dropout, recipe.text_dropout)

    def image(self, x: Tensor) -> Tensor:
        return functional.normalize(
            self.image_head(functional.dropout(x, self._dropout[0])), dim=-1
        )

    def text(self, x: Tensor) -> Tensor:
        return functional.normalize(self.text_head(functional.dropout(x, self._dropout[1])), dim=-1)

    def folded(self, scaling: Scaling) -> Heads:
        """The trained heads with the standardisation worked into their weights."""
        heads = []
        for head, mean, deviation in (
            (self.image_head, scaling.image_mean, scaling.image_deviation),
            (self.text_head, scaling.text_mean, scaling.text_deviation),
        ):
            weight = head.weight.detach().numpy() / deviation
            heads.append(Affine(weight.T, head.bias.detach().numpy() - weight @ mean))
        return Heads(*heads)


def _batches(
    material: Material, recipe: Recipe, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Indices of photos: first the captioned ones of a step, then the labelled ones."""
    own = np.repeat(np.arange(len(material.labels)), material.repeats)
    labelled = np.flatnonzero(material.labels >= 0)
    captioned = _endless(own, recipe.captioned_batch, rng)
    weak = _endless(labelled, min(recipe.labelled_batch, len(labelled)), rng)
    for _ in range(recipe.steps):
        yield np.concatenate([next(captioned), next(weak)])


def _endless(
    items: NDArray[np.int64], size: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Batches without replacement, reshuffled when fewer than a batch are left."""
    if not size:
        while True:
            yield items
    while True:
        order = rng.permutation(items)
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size]


def _standard(x: Floats, mean: Floats, deviation: Floats | float) -> Tensor:
    return torch.from_numpy(((x - mean) / deviation).astype(np.float32))


def _rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then half a cosine to zero."""
    if step < recipe.warm_up:
        return (step + 1) / recipe.warm_up
    done = (step - recipe.warm_up) / (recipe.steps - recipe.warm_up)
    return 0.5 * (1 + float(np.cos(np.pi * done)))
