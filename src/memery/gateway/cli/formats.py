"""Results, reports and states as tables, paths and JSON."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from memery.executors.interface import Changes
from memery.gallery import printable
from memery.gateway.cli.choices import ReportFormat, ResultFormat
from memery.gateway.cli.terms import STDIN
from memery.gateway.library import Status
from memery.types import Hit, IndexReport, Results, Skip, Term

_SKIPS_SHOWN = 10
"""Skipped files that a build names; `memery status` names all."""
_UNIT = 1000
_SCORE_DIGITS = 6
_TIME_DIGITS = 3


def write_results(results: Results, path: Path, format_: ResultFormat) -> None:
    """Print hits; path is the folder as the user typed it."""
    _WRITERS[format_](results, path)


def write_json(value: Any) -> None:
    """Print one JSON value on one line; what is not UTF-8 as surrogate escapes."""
    write(json.dumps(value) + "\n")


def results_json(results: Results) -> dict[str, Any]:
    """The object of `--format json`."""
    took = {stage: getattr(results.took, stage) for stage in ("index", "encode", "search", "total")}
    return {
        "query": [_term_json(term) for term in results.query.terms],
        "model_id": results.model_id,
        "total": results.total,
        "took_ms": {stage: round(value, _TIME_DIGITS) for stage, value in took.items()},
        "hits": [_hit_json(hit) for hit in results],
    }


def _term_json(term: Term) -> dict[str, Any]:
    if term.text is not None:
        return {"text": term.text, "boost": term.boost}
    image = term.image
    name = STDIN if image is None or isinstance(image, bytes) else os.fspath(image)
    return {"image": name, "boost": term.boost}


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "id": hit.id,
        "path": hit.path,
        "score": round(hit.score, _SCORE_DIGITS),
        "width": hit.image.width,
        "height": hit.image.height,
        "taken_at": hit.image.taken_at,
    }


def write(text: str) -> None:
    """Print text as it is, now."""
    sys.stdout.write(text)
    sys.stdout.flush()


def _write_paths(results: Results, path: Path, end: bytes) -> None:
    sys.stdout.buffer.writelines(os.fsencode(path / hit.path) + end for hit in results)
    sys.stdout.buffer.flush()


def _write_table(results: Results, path: Path) -> None:
    write_table(
        {"Rank": "right", "Score": "right", "Path": "left"},
        ((str(hit.rank), f"{hit.score:.4f}", str(path / hit.path)) for hit in results),
    )


def write_table(columns: Mapping[str, Any], rows: Iterable[Iterable[str]]) -> None:
    """Print a table; columns are headings with their justification."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():  # a line stays a line, and Rich need not be loaded
        return _write_plain_table(columns, cells)
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in columns.items():
        table.add_column(heading, justify=justify, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    return Console(highlight=False).print(table)


def _write_plain_table(columns: Mapping[str, Any], rows: list[list[str]]) -> None:
    lines = [list(columns), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    justified = (
        "  ".join(
            cell.rjust(width) if justify == "right" else cell.ljust(width)
            for cell, width, justify in zip(line, widths, columns.values(), strict=True)
        )
        for line in lines
    )
    write("".join(f"{line.rstrip()}\n" for line in justified))


def _write_jsonl(results: Results, _path: Path) -> None:
    for hit in results:
        write_json(_hit_json(hit))


_WRITERS: dict[ResultFormat, Callable[[Results, Path], None]] = {
    ResultFormat.TABLE: _write_table,
    ResultFormat.PATHS: lambda results, path: _write_paths(results, path, b"\n"),
    ResultFormat.PATHS0: lambda results, path: _write_paths(results, path, b"\0"),
    ResultFormat.JSON: lambda results, _path: write_json(results_json(results)),
    ResultFormat.JSONL: _write_jsonl,
}


def write_report(report: IndexReport, format_: ReportFormat) -> None:
    """Print what a build did."""
    if format_ is ReportFormat.JSON:
        return write_json(_report_json(report))
    parts = [f"{report.encoded} encoded"]
    parts += [f"{report.reused} recognised"] if report.reused else []
    parts += [f"{report.unchanged} unchanged"] if report.unchanged else []
    parts += [f"{report.removed} removed"] if report.removed else []
    parts += [f"{len(report.skips)} skipped"] if report.skips else []
    write(f"{images(report.searchable)} searchable ({', '.join(parts)}) with {report.model_id}\n")
    return _write_skips(report.skips, _SKIPS_SHOWN)


def _report_json(report: IndexReport) -> dict[str, Any]:
    return {
        "archive": str(report.archive),
        "index": str(report.index),
        "model_id": report.model_id,
        "searchable": report.searchable,
        "encoded": report.encoded,
        "reused": report.reused,
        "moved": report.moved,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "skipped": _skips_json(report.skips),
        "seconds": round(report.seconds, _TIME_DIGITS),
    }


def write_preview(changes: Changes, format_: ReportFormat) -> None:
    """Print what a build would do."""
    counts = _changes_json(changes)
    if format_ is ReportFormat.JSON:
        return write_json(counts)
    return write(
        f"Would read {images(counts['new'])} that are new and {counts['changed']} changed, and"
        f" remove {counts['gone']}; {counts['unchanged']} are unchanged.\n"
    )


def _changes_json(changes: Changes) -> dict[str, int]:
    return {
        "new": len(changes.new),
        "changed": len(changes.changed),
        "gone": len(changes.gone),
        "unchanged": changes.unchanged,
        "links": changes.links,
    }


def write_status(status: Status, format_: ReportFormat) -> None:
    """Print the state of a folder and its archive."""
    if format_ is ReportFormat.JSON:
        return write_json(_status_json(status))
    changes = status.changes
    lines = [f"Folder      {status.folder}"]
    if status.root != status.folder:
        lines.append(f"Part of     {status.root}")
    bulk = f"({size(status.size)})" if status.exists else "(not made yet: run memery build)"
    lines.append(f"Archive     {status.archive} {bulk}")
    for space, count in status.spaces:
        use = ""
        if len(status.spaces) > 1:
            command = f"memery build {status.root} --model {space.model_id}"
            use = " (answers searches)" if space == status.space else f" (to use it: {command})"
        lines.append(f"Model       {space.model_id}, {count} embeddings{use}")
    pending = f", {len(changes.new) + len(changes.changed)} to read, {len(changes.gone)} gone"
    lines.append(f"Images      {status.searchable} searchable{pending}")
    lines.append(f"Links       {changes.links} left out")
    if status.holder:
        lines.append(f"Writer      process {status.holder} is indexing")
    lines += [f"Ignored     {path}: made by memery 0.1" for path in status.seed_files]
    write("".join(f"{printable(line)}\n" for line in lines))
    return _write_skips((*status.skips, *changes.skips))


def _status_json(status: Status) -> dict[str, Any]:
    return {
        "folder": str(status.folder),
        "root": str(status.root),
        "archive": str(status.archive),
        "exists": status.exists,
        "size": status.size,
        "searchable": status.searchable,
        "pending": _changes_json(status.changes),
        "skipped": _skips_json((*status.skips, *status.changes.skips)),
        "model_id": status.space and status.space.model_id,
        "spaces": [
            {
                "model_id": space.model_id,
                "fingerprint": space.fingerprint,
                "dim": space.dim,
                "embeddings": count,
                "answers": space == status.space,
            }
            for space, count in status.spaces
        ],
        "holder": status.holder,
    }


def _skips_json(skips: Iterable[Skip]) -> list[dict[str, str]]:
    return [{"path": skip.path, "reason": skip.reason, "detail": skip.detail} for skip in skips]


def _write_skips(skips: tuple[Skip, ...], limit: int | None = None) -> None:
    if not skips:
        return
    reasons = Counter(skip.reason for skip in skips)
    counts = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    write(f"Skipped     {len(skips)} ({counts}):\n")
    for skip in skips[:limit]:
        detail = f" ({printable(skip.detail)})" if skip.detail else ""
        write(f"  {printable(skip.path or '.')}: {skip.reason}{detail}\n")
    if limit is not None and len(skips) > limit:
        write(f"  … and {len(skips) - limit} more: memery status names all\n")


def images(count: int) -> str:
    """A number of images in words."""
    return "1 image" if count == 1 else f"{count} images"


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB"):
        if count < _UNIT:
            return f"{count:.0f} {unit}"
        count /= _UNIT
    return f"{count:.1f} GB"
