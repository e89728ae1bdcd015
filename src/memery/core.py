"""The two flows: all of memery on one page.

index_flow:   Loader ──▶ Crafter ──▶ Encoder ──▶ Indexer, then TextReader ──▶ Indexer
query_flow:   (index_flow if the folder changed) ──▶ Encoder ──▶ Ranker ──▶ Results
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import Any

from memery.assembly import open_executors
from memery.executors.interface import Executors
from memery.query.builder import Image, Text, make_query
from memery.query.filters import Filter
from memery.query.options import SearchOptions, split_settings, takes_search_parameters
from memery.query.terms import Query
from memery.results import Results
from memery.search import encode_query, ensure_index, rank_query
from memery.types import IndexReport, ProgressCallback


def index_flow(
    path: str | os.PathLike[str],
    *,
    progress: ProgressCallback | None = None,
    rebuild: bool = False,
    executors: Executors | None = None,
    **settings: Any,
) -> IndexReport:
    """Bring the index of a folder up to date: read and encode only what is new or changed.

    Args:
        path: the folder.
        progress: called with the counts after each committed batch.
        rebuild: read and encode every file again; until then, stored embeddings stay in use.
        executors: your own executors; by default `assembly.default_executors`.
        settings: fields of `Config`.

    Raises:
        MemeryError: see `memery.errors`. Committed batches are kept.
    """
    with open_executors(path, settings, executors, rebuild=rebuild) as opened:
        return run_index(opened, progress, rebuild=rebuild)


def run_index(
    executors: Executors,
    progress: ProgressCallback | None = None,
    *,
    rebuild: bool = False,
    reread: bool = False,
    before_search: bool = False,
) -> IndexReport:
    """Run the indexing flow with given executors.

    `progress` and `rebuild` are those of `index_flow`. `reread` opens every file, to find changes
    that keep size and modification time. `before_search` skips OCR and keeps the active space.
    """
    notify = progress or (lambda _: None)
    crafter, encoder, indexer = executors.crafter, executors.encoder, executors.indexer
    scan = partial(executors.loader.load, encoder.space, everything=rebuild or reread)
    with indexer.run(scan, rebuild=rebuild, activate=not before_search) as run:
        if run.pending_files:
            notify(run.progress())
        files = crafter.craft(run.pending_files, run.known, run.undated, run.outdated)
        with closing(files) as batches:
            for batch in batches:
                notify(run.commit(batch, encoder.encode_images(batch.images)))
    report = run.report()
    if before_search or executors.reader is None:
        return report
    with (
        indexer.ocr_run(report, everything=rebuild) as ocr_run,
        closing(executors.reader.read(ocr_run.pending_images)) as texts,
    ):
        for ocr_batch in texts:
            notify(ocr_run.commit(ocr_batch))
    return ocr_run.report()


@takes_search_parameters()
def query_flow(
    path: str | os.PathLike[str],
    query: Text | Image | Query | Sequence[Text | Image] | None = None,
    image_query: Image | Sequence[Image] | None = None,
    *,
    exclude: Text | Sequence[Text] = (),
    exclude_images: Image | Sequence[Image] = (),
    more: Image | Sequence[Image] = (),
    less: Image | Sequence[Image] = (),
    where: Filter | None = None,
    refresh: bool = True,
    progress: ProgressCallback | None = None,
    executors: Executors | None = None,
    **settings: Any,
) -> Results:
    """Find the images of a folder that are nearest to texts, images, or both.

    Args:
        path: the folder.
        query: one or more texts or terms, or a Query; a value that is not a str may be an image.
        image_query: one or more images: paths, bytes of image files, open binary files, PIL images,
            uint8 arrays of shape (height, width), (height, width, 3) or (height, width, 4).
        exclude: texts to find less of.
        exclude_images: images to find less of.
        more: relevant hits of an earlier search: the query moves towards them.
        less: irrelevant hits: the query moves away from them.
        where: a filter; the conditions below are added to it.
        refresh: run the indexing flow first, without OCR.
        progress: as in `index_flow`.
        executors: as in `index_flow`.
        options: {options}
        settings: fields of `Config`.

    Raises:
        QueryError: the query is empty, or its terms cancel each other out.
        MemeryError: see `memery.errors`.
    """
    terms = make_query(query, image_query, exclude, exclude_images, more, less)
    options, settings = split_settings(settings, where)
    with open_executors(path, settings, executors, query=terms) as opened:
        return run_query(opened, terms, options, refresh=refresh, progress=progress)


def run_query(
    executors: Executors,
    query: Query,
    options: SearchOptions,
    *,
    refresh: bool,
    require: bool = True,
    progress: ProgressCallback | None = None,
) -> Results:
    """Run the querying flow with given executors.

    Without `refresh`, `require` raises an error if nothing is indexed.
    """
    # An unreadable query image must fail before the indexing flow starts.
    images = executors.crafter.craft_query(query, executors.encoder.known)
    refresh_index = partial(run_index, executors, progress, before_search=True)
    require = require and not refresh
    indexing = 0.0
    if refresh or require:
        indexing = ensure_index(executors.indexer, refresh_index if refresh else None)
    encoded = encode_query(executors, query, images, require=require)
    return rank_query(executors, encoded, options, indexing=indexing, require=require)
