"""The steps of the querying flow: encode a query, then rank images from one snapshot."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memery.errors import (
    ArchiveDamaged,
    ArchiveError,
    ArchiveLocked,
    ArchiveMissing,
    FolderError,
    ImageUnknown,
    ModelMismatch,
    QueryError,
)
from memery.executors.interface import Executors, Indexer
from memery.executors.types import LoadedImage, PixelsMissing
from memery.models.selection import multilingual_model
from memery.query.filters import Filter
from memery.query.options import SearchOptions
from memery.query.terms import Query, Term
from memery.query.text_search.query_words import PAIRS_MAX, QueryWords, parse_words
from memery.results import Results
from memery.stores.derived import image_by_id
from memery.types import ImageFile, Timings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_SHOWN = 40
"""Characters of a text that a warning repeats."""


def ensure_index(indexer: Indexer, refresh: Callable[[], object] | None) -> float:
    """Bring the index up to date before a search, or require that there is one.

    If the index cannot be brought up to date, the search finds what was committed before.

    Args:
        indexer: knows what is indexed.
        refresh: runs the indexing flow; None means to search what is indexed.

    Returns:
        What it took, in milliseconds.

    Raises:
        ArchiveMissing: nothing is indexed, and there is no `refresh`.
        ModelMismatch: images are indexed with other models only, and there is no `refresh`.
        ArchiveDamaged: nothing in the archive can be relied on.
        ArchiveError: the archive cannot be written, and nothing was committed to it yet.
        FolderError: the folder's files cannot be read, and nothing was committed yet.
    """
    started = time.perf_counter()
    if refresh is None:
        indexer.ensure_indexed()
    else:
        _refresh_or_keep(indexer, refresh)
    return _milliseconds(started)


def _refresh_or_keep(indexer: Indexer, refresh: Callable[[], object]) -> None:
    try:
        refresh()
    except ArchiveLocked as error:
        logger.warning("%s Meanwhile the answer is from what it has committed.", error)
    except ArchiveDamaged:
        raise
    except (ArchiveError, FolderError) as error:
        try:
            indexer.ensure_indexed()
        except (ArchiveMissing, ModelMismatch):
            raise error from None
        logger.warning("%s This answer is from what was indexed before.", error)


def similar_query(
    executors: Executors, image: Term, options: SearchOptions, *, require: bool
) -> tuple[Query, SearchOptions]:
    """The query for images similar to one; itself and its exact copies are left out.

    Args:
        executors: the executors.
        image: what the images are to be similar to.
        options: how hits are chosen.
        require: refuse to look up an image where nothing is indexed.

    Raises:
        QueryError: the term is a text.
        ImageUnknown: the folder has no image of its id.
    """
    query = Query((image,))
    if image.text is not None:
        raise QueryError("Similar to what? Give an image; texts are for recall.")
    if image.id is None:
        (loaded,) = executors.crafter.craft_query(query, executors.encoder.known)
        digest = loaded.digest
    else:
        with executors.snapshot():
            if require:
                executors.indexer.ensure_indexed()
            digest = _image(executors, image.id).digest
    return query, replace(options, mode="visual", filter=replace(options.filter, not_digest=digest))


def _image(executors: Executors, id_: str) -> ImageFile:
    with executors.snapshot() as snapshot:
        within = Filter(executors.archive.scope)
        image = snapshot and image_by_id(snapshot, executors.encoder.space, within, id_)
    if not image:
        raise ImageUnknown(id_)
    return image


@dataclass(frozen=True, slots=True)
class EncodedQuery:
    """A query and what the Encoder made of it.

    Attributes:
        query: what to find.
        vector: float32 of shape (dim,), a unit vector.
        words: what it asks for besides.
        encoding: what it took, in milliseconds.
        warnings: as in `Results`.
    """

    query: Query
    vector: NDArray[np.float32]
    words: QueryWords
    encoding: float
    warnings: tuple[str, ...] = ()


def encode_query(
    executors: Executors, query: Query, images: Sequence[LoadedImage], *, require: bool = False
) -> EncodedQuery:
    """The first half of the querying flow: it may wait for the model, so no snapshot is held.

    Args:
        executors: the executors.
        query: what to find.
        images: its image terms, as the Crafter read them.
        require: refuse to search what was never indexed.
    """
    started = time.perf_counter()
    try:
        vector = executors.encoder.encode_query(query, images)
    except PixelsMissing:
        vector = executors.encoder.encode_query(query, executors.crafter.craft_query(query, ()))
    except ImageUnknown:
        with executors.snapshot():  # another process may have changed the archive between two terms
            _check(executors, query, require=require)
        raise
    warnings = tuple(map(_unread(executors), executors.encoder.unsupported_texts(query)))
    return EncodedQuery(query, vector, _words(query, images), _milliseconds(started), warnings)


def _unread(executors: Executors) -> Callable[[str], str]:
    """What to say of a text that the model cannot read."""
    model_id = executors.encoder.space.model_id

    def sentence(text: str) -> str:
        name = multilingual_model()  # reads the registry, which few queries need
        return (
            f"The model {model_id} cannot read “{text[:_SHOWN]}”: only the words in images and the"
            f" names of files were compared with it. {name} reads many languages: memery models"
            f" pull {name}, then memery build PATH --model {name}"
        )

    return sentence


def _words(query: Query, images: Sequence[LoadedImage]) -> QueryWords:
    wanted = [term for term in query.terms if term.boost > 0]
    given = zip((term for term in query.terms if term.image is not None), images, strict=True)
    boosted = (f"{term.text}^{term.boost:g}" for term in wanted if term.text and term.boost != 1)
    return replace(
        parse_words(term.text for term in wanted if term.text),
        boosted_names=tuple(itertools.islice(boosted, PAIRS_MAX)),
        digests=frozenset(image.digest for term, image in given if term.boost > 0),
        ids=tuple(term.id for term in wanted if term.id is not None),
        has_negatives=len(wanted) < len(query.terms),
    )


def rank_query(
    executors: Executors,
    encoded: EncodedQuery,
    options: SearchOptions,
    *,
    indexing: float = 0.0,
    require: bool = False,
) -> Results:
    """The second half of the querying flow: all of it from one snapshot.

    Args:
        executors: the executors.
        encoded: what to find.
        options: how hits are chosen; its folders are relative to the one searched.
        indexing: what the indexing flow took before, in milliseconds.
        require: refuse to search what was never indexed, or has been purged.

    Raises:
        ImageUnknown: a term names an image that has gone since the query was encoded.
    """
    query, space = encoded.query, executors.encoder.space
    within = replace(options, filter=options.filter.within(executors.archive.scope))
    started = time.perf_counter()
    with executors.snapshot():
        _check(executors, query, require=require)
        ranked = executors.ranker.rank(space, encoded.vector, encoded.words, within)
    took = Timings(indexing, encoded.encoding, _milliseconds(started))
    warnings = (*encoded.warnings, *ranked.reasons)
    model_id = space.model_id
    return Results(ranked.hits, ranked.total, query, model_id, took, ranked.strong, warnings)


def _check(executors: Executors, query: Query, *, require: bool) -> None:
    """Refuse what the store, as it is in this snapshot, cannot answer."""
    if require:
        executors.indexer.ensure_indexed()
    space = executors.encoder.space
    with executors.snapshot() as snapshot:
        for id_ in (term.id for term in query.terms if term.id is not None):
            if snapshot and image_by_id(snapshot, space, Filter(), id_) is None:
                raise ImageUnknown(id_)


def _milliseconds(started: float) -> float:
    return 1000 * (time.perf_counter() - started)
