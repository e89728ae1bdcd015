"""Every number that training depends on, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """The choices behind one set of weights; validation picked those that differ from round."""

    views: tuple[str, ...] = ("plain", "mirrored")  # of each photo; a step draws one of them
    seeds: tuple[int, ...] = (0, 1, 2)  # one pair of heads each
    head_width: int = 256
    label_width: int = 256
    steps: int = 420
    captioned_batch: int = 512
    labelled_batch: int = 256
    learning_rate: float = 0.002
    warm_up: int = 20  # steps
    weight_decay: float = 0.01
    image_dropout: float = 0.5
    text_dropout: float = 0.3
    average_captions: float = 0.3  # how often two captions of a photo are averaged
    contrastive_scale: float = 1 / 0.07  # where the learned scale starts
    contrastive_scale_limit: float = 60.0
    distillation_scale: float = 20.0  # where the learned scale starts
    labelled_weight: float = 0.5  # of labelled rows against captioned rows
    distillation_weight: float = 0.5
    ancestor_weight: float = 0.3
    pseudo_weight: float = 0.5
    class_batch: int = 256  # classes a step for the ancestor and the pseudo picture losses
    label_synonyms: float = 0.45  # share of the synonyms in a label vector; ancestors the rest
    label_ancestors: int = 4
    label_weight: float = 0.5  # squared norm of the label part beside the heads' 1
    width: int = 512  # of the finished embeddings, after the principal axes are kept
