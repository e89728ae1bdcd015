"""Near duplicates: find 21 kinds of generated variants of some photos in a folder.

    python -m evaluation.duplicates FOLDER [--count N] [--seed S] [--model NAME] [--pairs FILE]

The variants and all photos of the folder are put into a temporary folder. Prints one JSON line:

    recall, recall_of   share of variants in the group of their original: of all, of each kind
    precision           share of pairs within groups that belong to one original
    other_pairs         other pairs within groups; the folder may contain true duplicates
    seconds             time to group the indexed images

`--pairs` writes the other pairs to a file, for manual review.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from evaluation.folders import image_files
from memery import Memery

WORDS = ["when", "the", "meeting", "could", "have", "been", "an", "email", "said", "nobody", "ever"]
Change = Callable[[Image.Image, random.Random], Image.Image]


def _scaled(factor: float) -> Change:
    def change(image: Image.Image, _: random.Random) -> Image.Image:
        return image.resize([max(1, round(side * factor)) for side in image.size])

    return change


def _cropped(share: float) -> Change:
    """Crop a share of the width and of the height at a random position."""

    def change(image: Image.Image, rng: random.Random) -> Image.Image:
        width, height = (round(side * (1 - share)) for side in image.size)
        left, top = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
        return image.crop((left, top, left + width, top + height))

    return change


def _warmer(image: Image.Image, _: random.Random) -> Image.Image:
    red, green, blue = image.split()
    return Image.merge(
        "RGB", (red.point(lambda v: min(255, v * 1.12)), green, blue.point(lambda v: v * 0.85))
    )


def _bordered(image: Image.Image, rng: random.Random) -> Image.Image:
    return ImageOps.expand(image, round(0.05 * max(image.size)), rng.choice(["black", "white"]))


def _font(size: float) -> Any:
    return ImageFont.load_default(size=max(8, size))


def _watermarked(image: Image.Image, _: random.Random) -> Image.Image:
    mark = Image.new("RGBA", image.size, (255, 255, 255, 0))
    place = (0.5 * image.width, 0.85 * image.height)
    font = _font(image.width / 12)
    ImageDraw.Draw(mark).text(place, "© someone", (255, 255, 255, 150), font, anchor="mm")
    return Image.alpha_composite(image.convert("RGBA"), mark).convert("RGB")


def _captioned(image: Image.Image, rng: random.Random) -> Image.Image:
    bar, above = round(image.height * rng.uniform(0.15, 0.3)), rng.random() < 0.5
    page = Image.new("RGB", (image.width, image.height + bar), "white")
    page.paste(image, (0, bar if above else 0))
    words = rng.sample(WORDS, 8)
    text = " ".join(words[:4]) + "\n" + " ".join(words[4:])
    place = (image.width / 2, bar / 2 if above else image.height + bar / 2)
    font = _font(min(bar / 3, image.width / 16))
    ImageDraw.Draw(page).multiline_text(place, text, "black", font, anchor="mm", align="center")
    return page


def _same(image: Image.Image, _: random.Random) -> Image.Image:
    return image


KINDS: dict[str, tuple[Change, str, dict[str, Any]]] = {
    "quality 85": (_same, "jpg", {"quality": 85}),
    "quality 60": (_same, "jpg", {"quality": 60}),
    "quality 30": (_same, "jpg", {"quality": 30}),
    "size 50 %": (_scaled(0.5), "jpg", {"quality": 90}),
    "size 75 %": (_scaled(0.75), "jpg", {"quality": 90}),
    "size 150 %": (_scaled(1.5), "jpg", {"quality": 90}),
    "WebP": (_same, "webp", {"quality": 75}),
    "PNG": (_same, "png", {}),
    "grey": (lambda image, _: ImageOps.grayscale(image), "jpg", {"quality": 90}),
    "brighter": (lambda i, _: ImageEnhance.Brightness(i).enhance(1.3), "jpg", {"quality": 90}),
    "darker": (lambda i, _: ImageEnhance.Brightness(i).enhance(0.7), "jpg", {"quality": 90}),
    "warmer": (_warmer, "jpg", {"quality": 90}),
    "sharpened": (lambda image, _: image.filter(ImageFilter.SHARPEN), "jpg", {"quality": 90}),
    "blurred": (lambda i, _: i.filter(ImageFilter.GaussianBlur(1.5)), "jpg", {"quality": 90}),
    "cropped 5 %": (_cropped(0.05), "jpg", {"quality": 90}),
    "cropped 10 %": (_cropped(0.1), "jpg", {"quality": 90}),
    "bordered": (_bordered, "jpg", {"quality": 90}),
    "watermarked": (_watermarked, "jpg", {"quality": 90}),
    "captioned": (_captioned, "jpg", {"quality": 90}),
    "turned": (lambda image, _: image.transpose(Image.Transpose.ROTATE_90), "jpg", {"quality": 90}),
    "mirrored": (lambda image, _: ImageOps.mirror(image), "jpg", {"quality": 90}),
}
"""By kind: the change, the file format and the options of `save`."""


def make(source: Path, place: Path, count: int, seed: int) -> dict[str, tuple[str, str]]:
    """Link all photos, and add variants of some of them.

    Returns:
        By name of the variant, its original and its kind.
    """
    rng = random.Random(seed)
    photos = image_files(source)
    (place / "photos").mkdir(parents=True)
    for photo in photos:
        os.link(photo, place / "photos" / photo.name) if _linkable(photo, place) else (
            place / "photos" / photo.name
        ).write_bytes(photo.read_bytes())
    truth = {}
    for photo in rng.sample(photos, min(count, len(photos))):
        with Image.open(io.BytesIO(photo.read_bytes())) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
        for kind, (change, ending, options) in KINDS.items():
            name = f"{photo.stem} {kind.replace(' %', '')}.{ending}"
            change(image, rng).save(place / name, **options)
            truth[name] = (f"photos/{photo.name}", kind)
    return truth


def _linkable(photo: Path, place: Path) -> bool:
    return photo.stat().st_dev == place.stat().st_dev


def measure(groups: list[list[str]], truth: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """Measure precision and recall of groups of paths."""
    found: Counter[str] = Counter()
    right, other = 0, []
    for group in groups:
        names = set(group)
        found.update(truth[n][1] for n in names if n in truth and truth[n][0] in names)
        for one, two in itertools.combinations(sorted(group), 2):
            if _origin(one, truth) == _origin(two, truth):
                right += 1
            else:
                other.append((one, two))
    per = Counter(kind for _, kind in truth.values())
    return {
        "recall": round(found.total() / len(truth), 4),
        "precision": round(right / max(1, right + len(other)), 4),
        "pairs": right,
        "other_pairs": len(other),
        "recall_of": {kind: round(found[kind] / per[kind], 3) for kind in KINDS},
        "others": other,
    }


def _origin(path: str, truth: dict[str, tuple[str, str]]) -> str:
    return truth[path][0] if path in truth else path


def evaluate(folder: Path, count: int, seed: int, model: str) -> dict[str, Any]:
    """Make variants, index all images, and measure the groups."""
    with tempfile.TemporaryDirectory() as made:
        truth = make(folder, Path(made), count, seed)
        with Memery(made, model=model, read_text=False) as memery:
            report = memery.build()
            began = time.perf_counter()
            groups = memery.duplicates()
            seconds = time.perf_counter() - began
        paths = [[copy.path for copy in group] for group in groups]
        return {
            "folder": folder.name,
            "model_id": report.model_id,
            "images": report.searchable,
            "originals": count,
            "variants": len(truth),
            "groups": len(groups),
            "seconds": round(seconds, 2),
            **measure(paths, truth),
        }


def main() -> None:
    """Parse the arguments, and print one JSON line."""
    parser = argparse.ArgumentParser(description="measure the detection of near duplicates")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--pairs", type=Path)
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        parser.error(f"{arguments.folder} is not a folder")
    result = evaluate(arguments.folder, arguments.count, arguments.seed, arguments.model)
    others = result.pop("others")
    if arguments.pairs:
        arguments.pairs.write_text(json.dumps(others), encoding="utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
