"""Response documents, and their conversion from domain objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import (
    Any,
    NotRequired,  # pydantic requires this one before Python 3.12
)

from starlette.responses import Response
from typing_extensions import TypedDict

from memery.gateway.collection import FoundImage
from memery.types import Hit, Line, Signal, Timings

_SCORE_DIGITS, _STRENGTH_DIGITS, _TIME_DIGITS = 6, 2, 3
_SECOND_NS = 1_000_000_000
_EXCERPT_LENGTH = 200
"""Characters of the text in an image that a hit includes."""


class JSON(Response):
    """JSON in ASCII; bytes of names that are not UTF-8 become surrogate escapes."""

    media_type = "application/json"

    def __init__(
        self,
        content: Any,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        super().__init__(content, status_code, headers, media_type)

    def render(self, content: Any) -> bytes:
        """Serialise the document."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


class FieldError(TypedDict):
    """An invalid field."""

    field: str
    message: str


class ProblemDocument(TypedDict):
    """A problem document (RFC 9457) with the first invalid fields and the number of others."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError]
    more_errors: NotRequired[int]


class TermDocument(TypedDict):
    """A query term: one of text, id, upload and image, and its boost."""

    text: NotRequired[str]
    id: NotRequired[str]
    upload: NotRequired[str]
    image: NotRequired[str]
    boost: float


class TookDocument(TypedDict):
    """Duration of each stage, milliseconds."""

    index: float
    encode: float
    search: float
    total: float


class SignalDocument(TypedDict):
    """The contribution of one ranking."""

    name: str
    rank: int
    share: float
    held: int


class ImageDocument(TypedDict):
    """An image; width and height are those of the upright image."""

    id: str
    collection: str
    path: str
    width: int
    height: int
    format: str
    size: int
    taken_at: str | None
    modified_at: str
    date_source: str
    damage: str | None
    colour: str | None
    words: str | None
    copies: int
    thumbnail_url: str
    image_url: str


class FoundDocument(TypedDict):
    """The ranking of a hit."""

    rank: int
    score: float
    strength: float
    weak: bool
    signals: NotRequired[list[SignalDocument]]


class HitDocument(ImageDocument, FoundDocument):
    """A hit: an image and its ranking."""


class SearchDocument(TypedDict):
    """The response to a search."""

    query: list[TermDocument]
    mode: str
    model_id: str
    collections: list[str]
    left_out: list[str]
    warnings: list[str]
    total: int
    strong: int | None
    took_ms: TookDocument
    anything_strong: bool
    hits: list[HitDocument]


class ImagesDocument(TypedDict):
    """A listing of images."""

    total: int
    warnings: list[str]
    images: list[ImageDocument]


class LineDocument(TypedDict):
    """A line of text; box is left, top, right, bottom as fractions of the image."""

    text: str
    confidence: float
    box: list[float]


class FactsDocument(ImageDocument):
    """All details of an image; text is null until OCR has run."""

    text: list[LineDocument] | None
    copy_paths: list[str]


class CountDocument(TypedDict):
    """A facet value and its number of images."""

    name: str
    count: int


class FacetsDocument(TypedDict):
    """The facets of a listing."""

    folders: list[CountDocument]
    months: list[CountDocument]
    types: list[CountDocument]


def image_document(found: FoundImage, root_path: str) -> ImageDocument:
    """Convert an image, which represents its exact copies too."""
    image = found.image
    modified = datetime.fromtimestamp(image.mtime_ns / _SECOND_NS, UTC)
    id_ = image.id
    words = " ".join(line.text for line in found.lines)[:_EXCERPT_LENGTH] if found.lines else None
    return {
        "id": id_,
        "collection": found.collection.name,
        "path": found.path,
        "width": image.width,
        "height": image.height,
        "format": image.format,
        "size": image.size,
        "taken_at": image.taken_at,
        "modified_at": modified.isoformat(timespec="seconds"),
        "date_source": image.date_source,
        "damage": image.damage or None,
        "colour": None if image.colour is None else f"#{image.colour:06x}",
        "words": words,
        "copies": 1 + len(found.copy_paths),
        "thumbnail_url": f"{root_path}/v1/thumbnails/{id_}",
        "image_url": f"{root_path}/v1/images/{id_}/file",
    }


def hit_document(facts: ImageDocument, hit: Hit, *, explain: bool) -> HitDocument:
    """Combine an image and its hit."""
    found: FoundDocument = {
        "rank": hit.rank,
        "score": round(hit.score, _SCORE_DIGITS),
        "strength": round(hit.strength, _STRENGTH_DIGITS),
        "weak": hit.weak,
    }
    if explain:
        found["signals"] = [_signal_document(signal) for signal in hit.signals]
    return {**found, **facts}


def _signal_document(signal: Signal) -> SignalDocument:
    return {
        "name": signal.name,
        "rank": signal.rank,
        "share": round(signal.rrf_score, _SCORE_DIGITS),
        "held": signal.matched_terms,
    }


def took_document(took: Timings) -> TookDocument:
    """Duration of each stage, milliseconds."""
    return {
        "index": round(took.index, _TIME_DIGITS),
        "encode": round(took.encode, _TIME_DIGITS),
        "search": round(took.search, _TIME_DIGITS),
        "total": round(took.total, _TIME_DIGITS),
    }


def line_document(line: Line) -> LineDocument:
    """Convert a line of text in an image."""
    return {"text": line.text, "confidence": round(line.confidence, 3), "box": list(line.box)}
