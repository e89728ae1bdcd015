"""Formats build reports and status as text and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from memery.executors.types import Changes
from memery.gateway.cli.choices import ReportFormat
from memery.gateway.cli.formats import size, write, write_json
from memery.gateway.status import Status, TextStatus
from memery.imaging.exclusions import describe_excluded
from memery.text.escaping import printable
from memery.text.plurals import counted
from memery.types import Excluded, ImageFile, IndexReport, Skip

_SKIPS_SHOWN = 10
"""Number of skipped files that a build lists; `memery status` lists all."""
_TIME_DIGITS = 3
_DATE_SOURCES = {
    "exif": "from EXIF",
    "xmp": "from XMP",
    "gps": "from GPS",
    "name": "from the file name",
    "file": "from the file's modification time",
}


def write_report(report: IndexReport, format_: ReportFormat) -> None:
    """Print the report of a build."""
    if format_ is ReportFormat.JSON:
        return write_json(_report_json(report))
    parts = [f"{report.encoded} encoded"]
    parts += [f"{report.reused} recognised"] if report.reused else []
    parts += [f"{report.unchanged} unchanged"] if report.unchanged else []
    parts += [f"{report.removed} removed"] if report.removed else []
    parts += [f"{len(report.skips)} skipped"] if report.skips else []
    model = printable(report.model_id)
    write(f"{counted(report.searchable, 'image')} searchable ({', '.join(parts)}) with {model}\n")
    if report.read:
        recognition_share = report.recognising / max(report.finding + report.recognising, 1e-9)
        write(
            f"{counted(report.read, 'image')} read, {report.with_text} with text"
            f" ({100 * (1 - recognition_share):.0f} % of the time to detect it,"
            f" {100 * recognition_share:.0f} % to recognise it)\n"
        )
    _write_excluded(report.excluded)
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
        "excluded": _excluded_json(report.excluded),
        "seconds": round(report.seconds, _TIME_DIGITS),
        "text": {
            "read": report.read,
            "with_text": report.with_text,
            "finding_seconds": round(report.finding, _TIME_DIGITS),
            "recognising_seconds": round(report.recognising, _TIME_DIGITS),
        },
    }


def write_preview(changes: Changes, format_: ReportFormat) -> None:
    """Print what a build would do."""
    counts = _changes_json(changes)
    if format_ is ReportFormat.JSON:
        return write_json(counts)
    write(
        f"Would read {counted(counts['new'], 'new image')} and"
        f" {counted(counts['changed'], 'changed image')}, and remove {counts['gone']};"
        f" {counts['unchanged']} unchanged.\n"
    )
    return _write_excluded(changes.excluded)


def _changes_json(changes: Changes) -> dict[str, int]:
    return {
        "new": len(changes.new),
        "changed": len(changes.changed),
        "gone": len(changes.gone),
        "unchanged": changes.unchanged,
        "links": changes.links,
    }


def write_status(status: Status, format_: ReportFormat) -> None:
    """Print the status of a folder and its archive."""
    if format_ is ReportFormat.JSON:
        return write_json(_status_json(status))
    changes = status.changes
    lines = [f"Folder      {status.folder}"]
    if status.root != status.folder:
        lines.append(f"Part of     {status.root}")
    size_text = f"({size(status.size)})" if status.exists else "(does not exist; run memery build)"
    lines.append(f"Archive     {status.archive} {size_text}")
    for space, count in status.spaces:
        use = ""
        if len(status.spaces) > 1:
            command = f"memery build {status.root} --model {space.model_id}"
            use = " (answers searches)" if space == status.space else f" (to use it: {command})"
        lines.append(f"Model       {space.model_id}, {counted(count, 'embedding')}{use}")
    pending = f", {len(changes.new) + len(changes.changed)} to read, {len(changes.gone)} gone"
    lines.append(f"Images      {status.searchable} searchable{pending}")
    if status.dates:
        counts = (f"{count} {_DATE_SOURCES[source]}" for source, count in status.dates.items())
        lines.append(f"Dates       {', '.join(counts)}")
    lines.append(f"Text        {_text_line(status)}")
    lines.append(f"Links       {changes.links} skipped")
    if status.holder:
        lines.append(f"Writer      process {status.holder} is indexing")
    lines += [f"Ignored     {path}: made by memery 0.1" for path in status.seed_files]
    write("".join(f"{printable(line)}\n" for line in lines))
    _write_excluded(changes.excluded)
    _write_damaged(status.damaged)
    return _write_skips((*status.skips, *changes.skips))


def _text_line(status: Status) -> str:
    text = status.text
    summary = f"{text.read} read, {text.with_text} with text"
    others = [reader for reader, _ in text.readers if reader != text.reader]
    if others:
        summary += f", some of them by {', '.join(others)}"
    if not text.wanted:
        return f"{summary}; OCR is disabled; to enable it: memery build {status.root} --ocr"
    if text.reader is None:
        return f"{summary}; OCR is not installed: pip install 'memery[ocr]'"
    pending = f", {text.unread} to read: memery build {status.root}" if text.unread else ""
    return f"{summary}{pending} ({text.reader})"


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
        "damaged": [{"path": image.path, "damage": image.damage} for image in status.damaged],
        "excluded": _excluded_json(status.changes.excluded),
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
        "text": _text_json(status.text),
        "dates": dict(status.dates),
        "holder": status.holder,
    }


def _text_json(text: TextStatus) -> dict[str, Any]:
    return {
        "wanted": text.wanted,
        "reader": text.reader,
        "read": text.read,
        "with_text": text.with_text,
        "unread": text.unread,
        "readers": [{"reader": reader, "images": count} for reader, count in text.readers],
    }


def _skips_json(skips: Iterable[Skip]) -> list[dict[str, str]]:
    return [{"path": skip.path, "reason": skip.reason, "detail": skip.detail} for skip in skips]


def _excluded_json(excluded: Excluded) -> dict[str, dict[str, int]]:
    return {"folders": dict(excluded.folders), "files": dict(excluded.files)}


def _write_excluded(excluded: Excluded) -> None:
    write("".join(f"{printable(sentence)}\n" for sentence in describe_excluded(excluded)))


def _write_damaged(damaged: tuple[ImageFile, ...]) -> None:
    if damaged:
        write(f"Damaged     {counted(len(damaged), 'image')}, partly decoded:\n")
    for image in damaged:
        write(f"  {printable(image.path)}: {image.damage}\n")


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
        write(f"  ... and {len(skips) - limit} more; memery status lists all\n")
