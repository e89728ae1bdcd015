"""`/v1/collections`, `/v1/status`, `/v1/skipped`: the folders and their skipped files."""

from __future__ import annotations

import os

from fastapi import APIRouter
from typing_extensions import TypedDict

from memery.gateway.rest.routes.search import collection_name
from memery.gateway.rest.schemas.parameters import CollectionName, PageParams
from memery.gateway.rest.schemas.responses import JSON
from memery.gateway.rest.state import State
from memery.query.filters import Filter
from memery.stores.derived import count_texts

router = APIRouter(tags=["collections"])


class TextDocument(TypedDict):
    """Progress of OCR."""

    read: int
    with_text: int


class CollectionDocument(TypedDict):
    """A folder; its path is null unless the server listens on loopback only."""

    name: str
    path: str | None
    available: bool
    searchable: int
    model_id: str
    text: TextDocument


class StatusDocument(TypedDict):
    """The status of the server."""

    version: str
    collections: list[str]
    unavailable: list[str]
    images: int
    skipped: int
    excluded: list[str]
    model_id: str
    better_model: str | None
    index_allowed: bool
    indexing: bool


class SkipDocument(TypedDict):
    """A skipped file and the reason."""

    collection: str
    path: str
    reason: str
    detail: str


class SkipsDocument(TypedDict):
    """Skipped files."""

    total: int
    skipped: list[SkipDocument]


@router.get(
    "/v1/collections", responses={200: {"model": list[CollectionDocument]}}, response_model=None
)
def collections(state: State) -> JSON:
    """List the folders that the server serves."""
    return JSON([_document(state, c.name) for c in state.collections])


def _document(state: State, name: str) -> CollectionDocument:
    memery = state.collections[name].memery
    with memery.store.snapshot() as snapshot:
        texts = count_texts(snapshot, memery.space, Filter(memery.archive.scope))
    return {
        "name": name,
        "path": os.fspath(memery.archive.searched) if state.options.is_loopback else None,
        "available": state.collections[name].is_available,
        "searchable": memery.count(),
        "model_id": memery.space.model_id,
        "text": {"read": texts.recognized, "with_text": texts.with_text},
    }


@router.get("/v1/status", responses={200: {"model": StatusDocument}}, response_model=None)
def status(state: State) -> JSON:
    """Return the status of the server and its index."""
    from memery import __version__

    opened = list(state.collections)
    document: StatusDocument = {
        "version": __version__,
        "collections": [c.name for c in opened],
        "unavailable": [c.name for c in opened if not c.is_available],
        "images": sum(c.memery.count() for c in opened),
        "skipped": sum(len(c.memery.skips()) for c in opened),
        "excluded": [sentence for job in state.jobs.all() for sentence in job.excluded],
        "model_id": state.model.info.model_id,
        "better_model": state.collections.better_model(),
        "index_allowed": state.options.may_index,
        "indexing": state.jobs.is_running,
    }
    return JSON(document)


@router.get("/v1/skipped", responses={200: {"model": SkipsDocument}}, response_model=None)
def skipped(
    state: State,
    options: PageParams,
    collection: CollectionName = None,
) -> JSON:
    """List the skipped files with reasons, ordered by collection and path."""
    name = collection_name(state, collection)
    found = [
        (c, skip) for c in state.collections if name in (None, c.name) for skip in c.memery.skips()
    ]
    prefixes = {c.name: Filter(c.memery.archive.scope).prefix for c, _ in found}
    page: list[SkipDocument] = [
        {
            "collection": c.name,
            "path": skip.path.removeprefix(prefixes[c.name]),
            "reason": skip.reason,
            "detail": skip.detail,
        }
        for c, skip in found[options.offset : options.offset + options.top_k]
    ]
    document: SkipsDocument = {"total": len(found), "skipped": page}
    return JSON(document)
