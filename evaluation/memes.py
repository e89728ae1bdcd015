"""Text in images: how much of it OCR recognises, and how well it finds an image.

    python -m evaluation.memes FOLDER [--model NAME] [--photos DIR] [--captions FILE]
                                      [--templates DIR]

FOLDER has images and `truth.jsonl`; each line is an object with `file` and `sentences` (a list of
texts), or with `top` and `bottom`. Prints one JSON line:

    recall_raw, recall   share of the written words that the recognised text contains, as it is, and
                         with joined words split too, in percent
    spurious             words of three letters or more found in 10 photos of DIR without text
    cpu_s, peak_mb       processor time per image, and the peak memory of a build
    recognising          share of the OCR time spent on recognition, after detection
    R@1                  by kind of query, in mode text and auto: 3 to 5 consecutive words of one
                         sentence, unchanged; with one typo; with a typo in every word
    ambiguous            share of queries whose words occur in another image too
    R@1_words, R@1_picture, R@1_both
                         two words of an image, among many like them; the same image without text
                         (DIR/TEMPLATE/default.jpg or .png; the truth names a `template`); both
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.folders import image_files
from memery import Memery
from memery.archive import find_archive
from memery.assembly import open_ocr_engine, open_store
from memery.config import load_config
from memery.imaging.decoding import decode_upright
from memery.query.filters import Filter
from memery.query.text_search.splitting import split_text
from memery.query.text_search.tokens import tokens
from memery.stores.interface import Store
from memery.stores.records import Content, IndexRecord, RecognizedText
from memery.types import FileEntry, Line

_PHOTOS = 100
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_TYPED = 3
"""Words with more letters than this can get a typo."""


def typo(word: str, chance: random.Random) -> str:
    """The word with one letter deleted, doubled, replaced, or swapped with the next.

    A word of one letter stays as it is.
    """
    if len(word) == 1:
        return word
    at = chance.randrange(len(word) - 1)
    head, tail = word[:at], word[at:]
    return chance.choice(
        (
            head + tail[1:],
            head + tail[0] + tail,
            head + chance.choice(_LETTERS.replace(tail[0].lower(), "")) + tail[1:],
            head + tail[1] + tail[0] + tail[2:],
        )
    )


def queries(sentence: str, chance: random.Random) -> dict[str, str]:
    """Queries of the words of a sentence, without and with typos."""
    words = sentence.lower().split()
    count = min(len(words), chance.randint(3, 5))
    first = chance.randrange(len(words) - count + 1)
    exact = words[first : first + count]
    long = [number for number, word in enumerate(exact) if len(word) > _TYPED] or [0]
    slip = chance.choice(long)
    return {
        "exact": " ".join(exact),
        "typo": " ".join(typo(w, chance) if n == slip else w for n, w in enumerate(exact)),
        "typos": " ".join(typo(w, chance) if n in long else w for n, w in enumerate(exact)),
    }


def read_truth(folder: Path) -> dict[str, list[str]]:
    """Read the sentences of each image."""
    lines = (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    return {row["file"]: row.get("sentences") or [row["top"], row["bottom"]] for row in rows}


def word_recall(read: dict[str, str], truth: dict[str, list[str]]) -> tuple[float, float]:
    """The share of the written words that OCR recognised, without and with splitting."""
    raw = both = written = 0
    for file, sentences in truth.items():
        words = {token for sentence in sentences for token in tokens(sentence)}
        found = set(tokens(read[file]))
        raw += len(words & found)
        both += len(words & (found | set(split_text(read[file]).split())))
        written += len(words)
    return raw / written, both / written


def spurious_words(photos: Path) -> float:
    """Words of three letters or more that OCR finds in 10 photos."""
    config = load_config()
    reader = open_ocr_engine(config)
    files = image_files(photos)
    chosen = random.Random(0).sample(files, min(_PHOTOS, len(files)))
    words = [
        token
        for file in chosen
        for line in reader.read(
            decode_upright(file.read_bytes(), reader.info.side, config.max_pixels)
        ).lines
        for token in tokens(line.text)
        if len(token) >= 3 and token.isalpha()
    ]
    return 10 * len(words) / len(chosen)


def distract(store: Store, captions: Sequence[str]) -> None:
    """Add images with other texts as distractors; they have no files."""
    with store.snapshot() as snapshot:
        space = snapshot.state().active_space
    assert space is not None
    vectors = np.random.default_rng(0).normal(size=(len(captions), space.dim))
    records, texts = [], []
    for number, caption in enumerate(captions):
        digest = f"{number:064x}"
        vector = (vectors[number] / np.linalg.norm(vectors[number])).astype(np.float32)
        content = Content(640, 480, "JPEG", None, vector)
        entry = FileEntry(f"distractors/{number}.jpg", 1, number)
        records.append(IndexRecord(entry, digest, content))
        texts.append(RecognizedText(digest, "none", (Line(caption, 1.0, (0.0, 0.0, 1.0, 1.0)),)))
    with store.writing() as writer:
        writer.commit(space, records, [])
        writer.commit_texts(texts)


def first_ranks(memery: Memery, truth: dict[str, list[str]], seed: int) -> dict[str, float]:
    """R@1 by mode and kind of query, and the share of ambiguous queries, in percent."""
    chance = random.Random(seed)
    words_of = {file: set(tokens(" ".join(sentences))) for file, sentences in truth.items()}
    right: dict[str, int] = {}
    ambiguous = 0
    for file, sentences in truth.items():
        texts = queries(chance.choice(sentences), chance)
        words = set(tokens(texts["exact"]))
        ambiguous += sum(words <= other for other in words_of.values()) > 1
        for kind, text in texts.items():
            for mode in ("text", "auto"):
                hits = memery.recall(text, top_k=1, mode=mode)
                name = f"R@1_{kind}_{mode}"
                right[name] = right.get(name, 0) + bool(len(hits) and hits[0].path == file)
    counts = {**right, "ambiguous": ambiguous}
    return {name: round(100 * count / len(truth), 1) for name, count in counts.items()}


def together_ranks(
    memery: Memery, folder: Path, templates: Path, truth: dict[str, list[str]], seed: int
) -> dict[str, float]:
    """R@1 of two words, of the image without text, and of both, in mode auto, in percent."""
    chance = random.Random(seed)
    lines = (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    right = {"words": 0, "picture": 0, "both": 0}
    for row in (json.loads(line) for line in lines if line.strip()):
        words = chance.choice(truth[row["file"]]).lower().split()
        first = chance.randrange(max(len(words) - 1, 1))
        text = " ".join(words[first : first + 2])
        (image,) = (templates / row["template"]).glob("default.*")
        for kind, query in {
            "words": {"query": text},
            "picture": {"image_query": image},
            "both": {"query": text, "image_query": image},
        }.items():
            hits = memery.recall(**query, top_k=1)
            right[kind] += hits[0].path == row["file"]
    return {f"R@1_{kind}": _percent(count / len(truth)) for kind, count in right.items()}


def evaluate(
    folder: Path,
    model: str,
    photos: Path | None = None,
    templates: Path | None = None,
    captions: Sequence[str] = (),
    archive: Path | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Build an archive of the folder with OCR, and measure.

    Args:
        folder: images and `truth.jsonl`.
        model: the model that encodes them.
        photos: a folder of images without text.
        templates: a folder with the images without their text.
        captions: texts of distractor images.
        archive: folder of the archive; temporary by default.
        seed: seed of the random queries.
    """
    truth = read_truth(folder)
    with tempfile.TemporaryDirectory() as temporary:
        place = archive or Path(temporary)
        with Memery(folder, model=model, archive=place, read_text=False) as memery:
            memery.build()
        result: dict[str, Any] = {"folder": folder.name, "model_id": model, "images": len(truth)}
        with Memery(folder, model=model, archive=place, read_text=True) as memery:
            started = time.process_time()
            report = memery.build()
            seconds = time.process_time() - started
            if report.read:
                spent = report.finding + report.recognising
                result["cpu_s"] = round(seconds / report.read, 3)
                result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
                result["recognising"] = _percent(report.recognising / spent)
        store = open_store(find_archive(folder, place), load_config())
        read = _texts(store, truth)
        result["recall_raw"], result["recall"] = map(_percent, word_recall(read, truth))
        distract(store, captions)
        store.close()
        with Memery(folder, model=model, archive=place) as memery:
            result |= first_ranks(memery, truth, seed)
            if templates is not None:
                result |= together_ranks(memery, folder, templates, truth, seed)
    if photos is not None:
        result["spurious"] = round(spurious_words(photos), 2)
    return result


def _texts(store: Store, truth: dict[str, list[str]]) -> dict[str, str]:
    """Read the text recognised in each image."""
    with store.snapshot() as snapshot:
        images = snapshot.pending_ocr(Filter(), everything=True)
        digests = {entry.path: digest for entry, digest in images}
        texts = {file: snapshot.text(digests[file]) for file in truth}
    return {f: "\n".join(li.text for li in text.lines) if text else "" for f, text in texts.items()}


def _percent(share: float) -> float:
    return round(100 * share, 1)


def main() -> None:
    """Parse the arguments, and print one JSON line."""
    parser = argparse.ArgumentParser(description="measure OCR and the search for text in images")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--photos", type=Path, help="a folder of images without text")
    parser.add_argument("--templates", type=Path, help="the images without their text")
    parser.add_argument("--captions", type=Path, help="texts of further images, one per line")
    parser.add_argument(
        "--archive", type=Path, help="keep the archive here, so that OCR runs only once"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random queries")
    arguments = parser.parse_args()
    if not (arguments.folder / "truth.jsonl").is_file():
        parser.error(f"{arguments.folder} contains no truth.jsonl")
    captions = arguments.captions.read_text(encoding="utf-8") if arguments.captions else ""
    result = evaluate(
        arguments.folder.resolve(),
        arguments.model,
        arguments.photos,
        arguments.templates,
        captions.splitlines()[:1500],
        arguments.archive,
        arguments.seed,
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
