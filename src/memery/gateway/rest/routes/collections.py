"""`/v1/collections`, `/v1/status`, `/v1/skipped`: what is served, and what was left out."""

from __future__ import annotations

import os

from fastapi import APIRouter
from typing_extensions import TypedDict

from memery.gateway.rest.routes.search import known
from memery.gateway.rest.schemas.answers import JSON
from memery.gateway.rest.schemas.parameters import CollectionName, Paged
from memery.gateway.rest.state import Served
from memery.query.filters import Filter
from memery.stores.derived import count_texts

router = APIRouter(tags=["collections"])


class TextDocument(TypedDict):
    """What is known of the text in pictures."""

    read: int
    with_text: int


class CollectionDocument(TypedDict):
    """A folder; its path is told on this machine only."""

    name: str
    path: str | None
    available: bool
    searchable: int
    model_id: str
    text: TextDocument


class StatusDocument(TypedDict):
    """The state of the server."""

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
    """A file that was left out, and why."""

    collection: str
    path: str
    reason: str
    detail: str


class SkipsDocument(TypedDict):
    """Files that were left out."""

    total: int
    skipped: list[SkipDocument]


@router.get(
    "/v1/collections", responses={200: {"model": list[CollectionDocument]}}, response_model=None
)
def collections(served: Served) -> JSON:
    """The folders that are served."""
    return JSON([_document(served, c.name) for c in served.collections])


def _document(served: Served, name: str) -> CollectionDocument:
    memery = served.collections[name].memery
    with memery.store.snapshot() as snapshot:
        texts = count_texts(snapshot, memery.space, Filter(memery.archive.scope))
    return {
        "name": name,
        "path": os.fspath(memery.archive.searched) if served.options.is_loopback else None,
        "available": served.collections[name].is_available,
        "searchable": memery.count(),
        "model_id": memery.space.model_id,
        "text": {"read": texts.recognized, "with_text": texts.with_text},
    }


@router.get("/v1/status", responses={200: {"model": StatusDocument}}, response_model=None)
def status(served: Served) -> JSON:
    """What is served, and how far it is indexed."""
    from memery import __version__

    every = list(served.collections)
    document: StatusDocument = {
        "version": __version__,
        "collections": [c.name for c in every],
        "unavailable": [c.name for c in every if not c.is_available],
        "images": sum(c.memery.count() for c in every),
        "skipped": sum(len(c.memery.skips()) for c in every),
        "excluded": [sentence for job in served.jobs.all() for sentence in job.excluded],
        "model_id": served.model.info.model_id,
        "better_model": served.collections.better_model(),
        "index_allowed": served.options.may_index,
        "indexing": served.jobs.is_running,
    }
    return JSON(document)


@router.get("/v1/skipped", responses={200: {"model": SkipsDocument}}, response_model=None)
def skipped(
    served: Served,
    options: Paged,
    collection: CollectionName = None,
) -> JSON:
    """Files that were left out, with reasons, by collection and path."""
    name = known(served, collection)
    found = [
        (c, skip) for c in served.collections if name in (None, c.name) for skip in c.memery.skips()
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
