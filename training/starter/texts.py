"""Texts to frozen tower outputs, and the wordings in which the 1000 classes are put."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import language
from .features import Floats, session
from .graph import Graph, save
from .wordnet import ImageClass


class TextTowers:
    """Encodes texts with both towers in full precision: float32 [n, 640], the parts unit length.

    MiniLM's 384 numbers come first, then wordllama's 256 (zeros if the text has no word).
    """

    def __init__(self, build: Path) -> None:
        self.minilm, self.wordllama = language.MiniLM(), language.WordLlama()
        self._tokenizers = language.Tokenizers(
            self.minilm.tokenizer_json, self.wordllama.tokenizer_json
        )
        self._build = build
        graph = Graph()
        towers = add_towers(graph, self.minilm, self.wordllama)
        width = language.WIDTH + self.wordllama.table.shape[1]
        model = graph.model(language.TEXT_INPUTS, {"towers": (towers, ["batch", width])})
        build.mkdir(parents=True, exist_ok=True)
        save(model, build / "towers.onnx")
        self._session = session(build / "towers.onnx")

    def __call__(self, texts: Iterable[str]) -> Floats:
        """One row a text, from the build folder if the same texts were encoded before."""
        texts = list(texts)
        digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
        cache = self._build / f"texts-{digest}.npy"
        if not cache.exists():
            rows = [self._session.run(None, self._tokenizers.inputs(t))[0] for t in texts]
            np.save(cache, np.concatenate(rows))
        return np.load(cache)


def add_towers(graph: Graph, minilm: language.MiniLM, wordllama: language.WordLlama) -> str:
    """Adds both towers; returns float32 [batch, 640]."""
    sentence = minilm.add(graph, "input_ids", "attention_mask")
    words = wordllama.add(graph, "word_ids", "word_mask")
    return graph.node("Concat", sentence, words, axis=-1)


class ClassTexts:
    """Tower outputs of the wordings of every class."""

    def __init__(self, classes: Sequence[ImageClass], towers: TextTowers) -> None:
        self.first = towers(c.synonyms[0] for c in classes)
        self.joined = towers(", ".join(c.synonyms) for c in classes)
        self.photo = towers(f"a photo of a {c.synonyms[0]}" for c in classes)
        self._synonyms = _Ragged([c.synonyms[1:] or c.synonyms for c in classes], towers)
        self._ancestors = _Ragged([c.ancestors for c in classes], towers)

    def draw(self, rng: np.random.Generator) -> Floats:
        """[1000, 640]: a wording of each class.

        Its first synonym in 35 of 100 draws, another in 25, "a photo of a" it in 25, all synonyms
        in 15.
        """
        kind = rng.random(len(self.first))[:, None]
        other = self._synonyms.draw(rng)
        rows = np.where(kind < 0.25, self.photo, self.first)
        rows = np.where((kind >= 0.25) & (kind < 0.40), self.joined, rows)
        return np.where((kind >= 0.40) & (kind < 0.65), other, rows)

    def draw_ancestors(self, rng: np.random.Generator) -> Floats:
        """[1000, 640]: the name of one of each class's five nearest ancestors."""
        return self._ancestors.draw(rng, limit=5)

    def ancestor_means(self, count: int) -> Floats:
        """[1000, 640]: the mean over each class's `count` nearest ancestors."""
        return np.stack([rows[:count].mean(axis=0) for rows in self._ancestors.rows()])


class Captions:
    """Tower outputs of every photo's captions."""

    def __init__(self, captions: Sequence[Sequence[str]], towers: TextTowers) -> None:
        self._ragged = _Ragged(captions, towers)

    def of(self, photos: NDArray[np.int64]) -> Floats:
        """All captions of these photos, one after the other: [m, 640]."""
        rows = self._ragged.rows()
        return np.concatenate([rows[photo] for photo in photos])

    def draw(self, photos: NDArray[np.int64], rng: np.random.Generator, average: float) -> Floats:
        """[len(photos), 640]: a caption each, with probability `average` the mean of two."""
        one, two = (self._ragged.draw(rng, photos=photos) for _ in range(2))
        return np.where(rng.random((len(photos), 1)) < average, (one + two) / 2, one)


class _Ragged:
    """Tower outputs of a different number of texts for every item."""

    def __init__(self, texts: Sequence[Sequence[str]], towers: TextTowers) -> None:
        self._counts = np.array([len(group) for group in texts])
        self._starts = np.concatenate([[0], np.cumsum(self._counts)[:-1]])
        self._flat = towers(text for group in texts for text in group)

    def rows(self) -> list[Floats]:
        return np.split(self._flat, self._starts[1:])

    def draw(
        self, rng: np.random.Generator, limit: int = 10**6, photos: NDArray[np.int64] | None = None
    ) -> Floats:
        """One of the first `limit` texts of each item, or of each of `photos`."""
        chosen = np.arange(len(self._counts)) if photos is None else photos
        counts = np.minimum(self._counts[chosen], limit)
        return self._flat[self._starts[chosen] + (rng.random(len(chosen)) * counts).astype(int)]
