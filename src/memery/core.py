"""The two flows: the whole story of memery on one page.

index_flow:   Loader ──▶ Crafter ──▶ Encoder ──▶ Indexer
query_flow:   (index_flow if the folder changed) ──▶ Encoder ──▶ Ranker ──▶ Results
"""

from __future__ import annotations

import contextlib
import logging
import os
import posixpath
import time
from collections.abc import Callable, Sequence
from typing import Any

from memery.archive import Archive, find_archive
from memery.config import load_config
from memery.errors import ArchiveLocked, QueryError
from memery.executors.interface import Executors, Picture
from memery.plugins import default_executors
from memery.types import Filter, IndexReport, Progress, Query, Results, Term, Took

logger = logging.getLogger(__name__)

Text = str | Term
Image = str | os.PathLike[str] | bytes | Term
Report = Callable[[Progress], object]
"""What is called with the counts after each step."""


def index_flow(
    path: str | os.PathLike[str],
    *,
    progress: Report | None = None,
    rebuild: bool = False,
    executors: Executors | None = None,
    **settings: Any,
) -> IndexReport:
    """Bring the index of a folder up to date: read and encode only what is new or changed.

    Args:
        path: the folder.
        progress: called with the counts after each committed batch.
        rebuild: read and encode everything anew; what is stored serves until it is replaced.
        executors: a flow of your own; by default `plugins.default_executors`.
        settings: fields of `Config`.

    Raises:
        MemeryError: see `memery.errors`. What was committed by then is kept.
    """
    with _opened(path, executors, settings, rebuild=rebuild) as x:
        return run_index(x, progress, rebuild=rebuild)


def query_flow(
    path: str | os.PathLike[str],
    query: Text | Query | Sequence[Text] | None = None,
    image_query: Image | Sequence[Image] | None = None,
    *,
    exclude: Text | Sequence[Text] = (),
    exclude_images: Image | Sequence[Image] = (),
    top_k: int = 10,
    offset: int = 0,
    under: str = "",
    refresh: bool = True,
    progress: Report | None = None,
    executors: Executors | None = None,
    **settings: Any,
) -> Results:
    """Find the images of a folder that are nearest to texts, to pictures, or to both.

    Args:
        path: the folder.
        query: one or more texts or terms, or a whole Query.
        image_query: one or more pictures: paths, or the bytes of image files.
        exclude: texts to find less of.
        exclude_images: pictures to find less of.
        top_k: how many hits.
        offset: how many of the best to leave out.
        under: search only this folder, relative to path.
        refresh: run the index flow first.
        progress: as in `index_flow`.
        executors: as in `index_flow`.
        settings: fields of `Config`.

    Raises:
        QueryError: there is no query, or it points nowhere.
        MemeryError: see `memery.errors`.
    """
    asked = make_query(query, image_query, exclude, exclude_images)
    with _opened(path, executors, settings) as x:
        pictures = x.crafter.craft_query(asked)  # a picture that cannot be read fails at once
        started = time.perf_counter()
        if refresh:
            refresh_index(x, progress)
        else:
            x.indexer.require()
        took = _milliseconds(started)
        return run_query(x, asked, pictures, top_k=top_k, offset=offset, under=under, indexing=took)


def run_index(
    x: Executors,
    progress: Report | None = None,
    *,
    rebuild: bool = False,
    reread: bool = False,
    adopt: bool = True,
) -> IndexReport:
    """The indexing flow over executors that are at hand.

    Args:
        x: the executors.
        progress: as in `index_flow`.
        rebuild: as in `index_flow`.
        reread: open every file, to find changes that size and time do not tell.
        adopt: let the model's space answer searches from now on.
    """
    report = progress or (lambda _: None)
    everything = rebuild or reread
    x.indexer.expect(0)
    changes = x.loader.load(x.encoder.space, everything=everything)
    moves = adopt and not x.indexer.answers()
    if changes or moves:
        with x.indexer.begin():
            if x.indexer.is_stale():  # another process wrote before the lock was ours
                changes = x.loader.load(x.encoder.space, everything=everything)
            report(x.indexer.expect(len(changes.unread)))
            x.indexer.remove(changes.gone)
            known = set() if rebuild else x.indexer.known()
            with contextlib.closing(x.crafter.craft(changes.unread, known)) as batches:
                for batch in batches:
                    embeddings = x.encoder.encode_images(batch.pictures)
                    report(x.indexer.index(batch, embeddings))
            if rebuild:
                x.indexer.prune()
            if moves:
                x.indexer.adopt()
    x.indexer.refresh()
    return x.indexer.report(changes)


def refresh_index(x: Executors, progress: Report | None = None) -> None:
    """The indexing flow, unless someone else runs it: what they committed can be searched."""
    try:
        run_index(x, progress, adopt=False)
    except ArchiveLocked as error:
        logger.warning("%s Meanwhile the answer is from what it has committed.", error)


def run_query(
    x: Executors,
    query: Query,
    pictures: Sequence[Picture],
    *,
    top_k: int = 10,
    offset: int = 0,
    under: str = "",
    indexing: float = 0.0,
) -> Results:
    """The querying flow over executors that are at hand.

    Args:
        x: the executors.
        query: what to find.
        pictures: its image terms, as the Crafter read them.
        top_k: how many hits.
        offset: how many of the best to leave out.
        under: search only this folder, relative to the one searched.
        indexing: what the indexing flow took before, in milliseconds.
    """
    if top_k < 1 or offset < 0:
        raise QueryError("top_k must be 1 or more, and offset 0 or more.")
    scope = Filter(_under(x.archive, under))
    started = time.perf_counter()
    vector = x.encoder.encode_query(query, pictures)
    encoding, started = _milliseconds(started), time.perf_counter()
    hits, total = x.ranker.rank(x.encoder.space, vector, scope, top_k, offset)
    took = Took(indexing, encoding, _milliseconds(started))
    return Results(hits, total, query, x.encoder.space.model_id, took)


def make_query(
    query: Text | Query | Sequence[Text] | None = None,
    image_query: Image | Sequence[Image] | None = None,
    exclude: Text | Sequence[Text] = (),
    exclude_images: Image | Sequence[Image] = (),
) -> Query:
    """A Query of whatever was given; what is excluded gets a negative boost.

    Raises:
        QueryError: nothing was given, or a part of it makes no term.
    """
    terms = list(query.terms) if isinstance(query, Query) else []
    if query is not None and not isinstance(query, Query):
        terms += [_text_term(text) for text in _listed(query)]
    if image_query is not None:
        terms += [_image_term(image) for image in _listed(image_query)]
    terms += [_negated(_text_term(text)) for text in _listed(exclude)]
    terms += [_negated(_image_term(image)) for image in _listed(exclude_images)]
    return Query(tuple(terms))


def _listed(value: Any) -> list[Any]:
    single = isinstance(value, (str, bytes, os.PathLike, Term))
    return [value] if single else list(value)


def _text_term(text: Text) -> Term:
    return text if isinstance(text, Term) else Term(text=text)


def _image_term(image: Image) -> Term:
    return image if isinstance(image, Term) else Term(image=image)


def _negated(term: Term) -> Term:
    return Term(term.text, term.image, -term.boost)


def _under(archive: Archive, under: str) -> str:
    """A folder relative to the one searched, as one relative to the archive's root."""
    path = posixpath.normpath(posixpath.join("/", under)).strip("/")
    if ".." in under.split("/"):
        raise QueryError(f"{under!r} leads out of the folder searched: name a folder inside it.")
    return posixpath.join(archive.scope, path).strip("/")


def _milliseconds(started: float) -> float:
    return 1000 * (time.perf_counter() - started)


def _opened(
    path: str | os.PathLike[str],
    executors: Executors | None,
    settings: dict[str, Any],
    *,
    rebuild: bool = False,
) -> contextlib.AbstractContextManager[Executors]:
    if executors is not None:
        return contextlib.nullcontext(executors)
    config = load_config(**settings)
    return default_executors(find_archive(path, config.archive), config, rebuild=rebuild)
