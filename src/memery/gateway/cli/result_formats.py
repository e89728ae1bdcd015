"""Formats hits as a table, paths and JSON."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from memery.gateway.cli.choices import ResultFormat
from memery.gateway.cli.formats import write_json, write_paths, write_table
from memery.gateway.cli.terms import STDIN
from memery.query.terms import Term
from memery.results import Results
from memery.text.plurals import counted
from memery.types import Hit, Signal

_SCORE_DIGITS = 6
_STRENGTH_DIGITS = 2
_TIME_DIGITS = 3


def write_results(
    results: Results, path: Path, format_: ResultFormat, *, explain: bool = False
) -> None:
    """Print hits.

    Args:
        results: the hits.
        path: the folder as the user typed it.
        format_: output format.
        explain: print how each hit was ranked.
    """
    match format_:
        case ResultFormat.TABLE:
            _write_table(results, path, explain=explain)
        case ResultFormat.PATHS | ResultFormat.PATHS0:
            end = b"\n" if format_ is ResultFormat.PATHS else b"\0"
            write_paths((path / hit.path for hit in results), end)
        case ResultFormat.JSON:
            write_json(results_json(results, explain=explain))
        case ResultFormat.JSONL:
            for hit in results:
                write_json(_hit_json(hit, explain=explain))


def results_json(results: Results, *, explain: bool = False) -> dict[str, Any]:
    """The object of `--format json`."""
    took = {stage: getattr(results.took, stage) for stage in ("index", "encode", "search", "total")}
    return {
        "query": [_term_json(term) for term in results.query.terms],
        "model_id": results.model_id,
        "total": results.total,
        "strong": results.strong,
        "took_ms": {stage: round(value, _TIME_DIGITS) for stage, value in took.items()},
        "hits": [_hit_json(hit, explain=explain) for hit in results],
    }


def _term_json(term: Term) -> dict[str, Any]:
    if term.text is not None:
        return {"text": term.text, "boost": term.boost}
    if term.id is not None:
        return {"id": term.id, "boost": term.boost}
    image = term.image
    name = STDIN if image is None or isinstance(image, bytes) else os.fspath(image)
    return {"image": name, "boost": term.boost}


def _hit_json(hit: Hit, *, explain: bool) -> dict[str, Any]:
    signals = {"signals": [_signal_json(signal) for signal in hit.signals]}
    return {
        "rank": hit.rank,
        "id": hit.id,
        "path": hit.path,
        "score": round(hit.score, _SCORE_DIGITS),
        "strength": round(hit.strength, _STRENGTH_DIGITS),
        "weak": hit.weak,
        "width": hit.image.width,
        "height": hit.image.height,
        "taken_at": hit.image.taken_at,
        "date_source": hit.image.date_source,
        "copies": hit.copies,
        "copy_paths": list(hit.copy_paths),
        **(signals if explain else {}),
    }


def _signal_json(signal: Signal) -> dict[str, Any]:
    return {
        "name": signal.name,
        "rank": signal.rank,
        "share": round(signal.rrf_score, _SCORE_DIGITS),
        "held": signal.matched_terms,
    }


def _write_table(results: Results, path: Path, *, explain: bool) -> None:
    if not results:
        return
    is_folded = any(hit.copies > 1 for hit in results)
    columns = {"Rank": "right", "Score": "right", "Strength": "right"}
    columns |= {"Copies": "right"} if is_folded else {}
    columns |= {"Why": "left"} if explain else {}
    columns |= {"Path": "left"}  # last: nothing is padded or cut after it
    write_table(
        columns,
        (
            (
                str(hit.rank),
                f"{hit.score:.4f}",
                f"{'weak ' if hit.weak else ''}{hit.strength:.1f}",
                *([f"×{hit.copies}" if hit.copies > 1 else ""] if is_folded else []),
                *([" + ".join(map(_why, hit.signals))] if explain else []),
                str(path / hit.path),
            )
            for hit in results
        ),
    )


def _why(signal: Signal) -> str:
    words = f", {counted(signal.matched_terms, 'word')}" if signal.matched_terms else ""
    return f"{signal.rrf_score:.4f} ({signal.name} rank {signal.rank}{words})"
