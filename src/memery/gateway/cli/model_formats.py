"""Formats models as tables, details and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memery.gateway.cli.choices import ReportFormat
from memery.gateway.cli.formats import size, write, write_json, write_table
from memery.models.quantization import Cost
from memery.models.resolver import ModelSummary
from memery.text.escaping import printable
from memery.text.plurals import counted


def write_models(models: Sequence[ModelSummary], format_: ReportFormat) -> None:
    """Print a table of models."""
    if format_ is ReportFormat.JSON:
        return write_json([_model_json(model) for model in models])
    return write_table(
        {
            **{"Name": "left", "State": "left", "Size": "right", "Licence": "left"},
            **{"R@1": "right", "Speed": "right", "Good for": "left"},
        },
        (
            (
                model.name,
                model.state if model.state in _STATES else "damaged: see memery models info",
                size(model.size),
                model.licence,
                _format_number(model.entry.flickr30k_r1 if model.entry else None),
                _format_number(model.entry.speed if model.entry else None),
                model.entry.about if model.entry else model.source,
            )
            for model in models
        ),
    )


_STATES = ("built in", "plug-in", "installed", "not installed", "a folder")


def _format_number(number: float | None) -> str:
    return "" if number is None else f"{number:.1f}"


def write_model(model: ModelSummary, format_: ReportFormat) -> None:
    """Print the details of a model."""
    details = _model_json(model)
    if format_ is ReportFormat.JSON:
        return write_json(details)
    details["size"] = size(model.size)
    shown = {
        key.replace("_", " "): value for key, value in details.items() if value not in (None, "")
    }
    width = max(map(len, shown))
    for key, value in shown.items():
        text = ", ".join(value) if isinstance(value, list) else str(value)
        write(f"{key.ljust(width)}  {printable(text)}\n")
    return None


def _model_json(model: ModelSummary) -> dict[str, Any]:
    entry = model.entry
    return {
        "name": model.name,
        "state": model.state,
        "size": model.size,
        "dim": model.dim,
        "licence": model.licence,
        "source": model.source,
        "repository": entry and entry.repository,
        "recommended": bool(entry and entry.recommended),
        "flickr30k_r1": entry and entry.flickr30k_r1,
        "coco_r1": entry and entry.coco_r1,
        "figures_from": entry and entry.source,
        "speed": entry and entry.speed,
        "languages": entry and list(entry.languages),
        "good_for": entry and entry.about,
    }


def write_cost(cost: Cost) -> None:
    """Print what int8 costs in accuracy and gains in speed."""
    write(
        f"On {counted(cost.images, 'image')}: cosine to fp32 {cost.image_cosine:.4f} (lowest"
        f" {cost.image_least:.4f}), for texts {cost.text_cosine:.4f}; {cost.speed:.1f} times as"
        " fast.\n"
    )


def write_line(line: str) -> None:
    """Print one line."""
    write(f"{printable(line)}\n")
