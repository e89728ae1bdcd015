"""Builds the starter model: `python -m training.starter --help`."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from . import build, card, data, evaluate, export, features, split, wordnet
from .exported import Exported
from .recipe import Recipe
from .texts import TextTowers

HERE = Path(__file__).parent
OUTPUT = HERE.parents[1] / "src" / "memery" / "models" / "starter"


def main() -> None:
    """Trains twice: without the validation photos for the figures, with all for the weights."""
    options = _options()
    excluded = set(options.exclude_source)
    photos = [
        photo
        for folder in (options.captions, options.labelled)
        for photo in data.load(folder, excluded)
    ]
    recipe = Recipe()
    print(f"{len(photos)} photos; features of {len(recipe.views)} views")
    views = {name: features.extract(photos, name, options.build) for name in recipe.views}
    collection = build.Collection(
        photos, views, TextTowers(options.build), wordnet.image_classes(options.wordnet)
    )
    held_out = split.validation_mask(photos, views["plain"].pooled)

    print(f"training without the {held_out.sum()} validation photos")
    trial = options.build / "validation"
    export.write(
        build.encoder(collection, np.flatnonzero(~held_out), recipe), collection.towers, trial
    )
    kept = [photos[i] for i in np.flatnonzero(held_out)]
    model = Exported(trial)
    figures = evaluate.figures(kept, model.pictures(kept), model.texts)
    for name, value in figures.items():
        print(f"{name:24} {value:6.1f}")

    if not options.validate_only:
        print("training on all photos")
        encoder = build.encoder(collection, np.arange(len(photos)), recipe)
        export.write(encoder, collection.towers, options.output)
        text = card.write(photos, held_out, figures, options.output, excluded)
        (options.output / "MODEL_CARD.md").write_text(text, encoding="utf-8")
        print("the weights and their card are written")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.starter", description=__doc__)
    parser.add_argument("--captions", type=Path, required=True, help="captioned images")
    parser.add_argument("--labelled", type=Path, required=True, help="labelled images")
    parser.add_argument(
        "--exclude-source", action="append", default=[], metavar="NAME", help="leave a source out"
    )
    parser.add_argument(
        "--wordnet",
        type=Path,
        default=Path("/usr/share/wordnet"),
        help="folder with WordNet 3.0's data.noun",
    )
    parser.add_argument(
        "--build", type=Path, default=HERE.parent / "build", help="features kept between runs"
    )
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where the model goes")
    parser.add_argument(
        "--validate-only", action="store_true", help="print the figures, leave the model alone"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
