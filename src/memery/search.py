"""The steps of the querying flow: encode a query, then rank images from one snapshot."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
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
from memery.query.text_search.query_words import (
    PAIRS_MAX,
    QueryWords,
    parse_words,
    unquoted,
)
from memery.results import Results
from memery.stores.derived import image_by_id
from memery.types import ImageFile, Timings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_SHOWN = 40
"""How many characters of a text a warning quotes."""


def ensure_index(indexer: Indexer, refresh: Callable[[], object] | None) -> float:
    """Bring the index up to date before a search, or require that one exists.

    If the index cannot be updated, the search uses what was committed before.

    Args:
        indexer: the Indexer of the archive.
        refresh: runs the indexing flow; None means to search the index as it is.

    Returns:
        The elapsed time, milliseconds.

    Raises:
        ArchiveMissing: nothing is indexed, and `refresh` is None.
        ModelMismatch: images are indexed with other models only, and `refresh` is None.
        ArchiveDamaged: the archive is damaged.
        ArchiveError: the archive cannot be written, and nothing is indexed yet.
        FolderError: the folder's files cannot be read, and nothing is indexed yet.
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
        logger.warning("%s The results come from what it has committed so far.", error)
    except ArchiveDamaged:
        raise
    except (ArchiveError, FolderError) as error:
        try:
            indexer.ensure_indexed()
        except (ArchiveMissing, ModelMismatch):
            raise error from None
        logger.warning("%s The results come from the last index.", error)


def similar_query(
    executors: Executors, image: Term, options: SearchOptions, *, require: bool
) -> tuple[Query, SearchOptions]:
    """Make the query for images similar to one, without the image and its exact copies.

    Args:
        executors: the executors.
        image: the image to compare with.
        options: how hits are chosen.
        require: raise an error if nothing is indexed.

    Raises:
        QueryError: the term is a text.
        ImageUnknown: no indexed image has this id.
    """
    query = Query((image,))
    if image.text is not None:
        raise QueryError("similar needs an image. To search by text, use recall.")
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
    """A query and its vector.

    Attributes:
        query: what to find.
        vector: float32 of shape (dim,), a unit vector.
        words: the words, names and exact copies to look for.
        encoding: the elapsed time, milliseconds.
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
    """Encode a query: the first half of the querying flow.

    It may wait for the model, so it holds no snapshot.

    Args:
        executors: the executors.
        query: what to find.
        images: its image terms, read by the Crafter.
        require: raise an error if nothing is indexed.
    """
    started = time.perf_counter()
    try:
        vector = executors.encoder.encode_query(query, images)
    except PixelsMissing:
        vector = executors.encoder.encode_query(query, executors.crafter.craft_query(query, ()))
    except ImageUnknown:
        with executors.snapshot():  # another process may have changed the archive
            _check(executors, query, require=require)
        raise
    warnings = tuple(map(_unsupported_text(executors), executors.encoder.unsupported_texts(query)))
    return EncodedQuery(
        query, vector, _query_words(query, images), _milliseconds(started), warnings
    )


def _unsupported_text(executors: Executors) -> Callable[[str], str]:
    """Make the warning for a text in a script that the model does not know."""
    model_id = executors.encoder.space.model_id

    def sentence(text: str) -> str:
        name = multilingual_model()  # reads the registry: rarely needed
        return (
            f"The model {model_id} cannot read “{text[:_SHOWN]}”: only the words in images and the"
            f" names of files were compared with it. {name} reads many languages: memery models"
            f" pull {name}, then memery build PATH --model {name}"
        )

    return sentence


def _query_words(query: Query, images: Sequence[LoadedImage]) -> QueryWords:
    positive = [term for term in query.terms if term.boost > 0]
    files = zip((term for term in query.terms if term.image is not None), images, strict=True)
    return replace(
        parse_words(term.text for term in positive if term.text),
        literal_names=tuple(itertools.islice(_literal_names(query), PAIRS_MAX)),
        digests=frozenset(image.digest for term, image in files if term.boost > 0),
        ids=tuple(term.id for term in positive if term.id is not None),
        has_negatives=len(positive) < len(query.terms),
    )


def _literal_names(query: Query) -> Iterator[str]:
    """Names of files that read as more than their words: `IMG^2`, `"IMG"`, `-people`."""
    texts = [(term.text, term.boost) for term in query.terms if term.text]
    typed = [_typed(text, boost) for text, boost in texts]
    for (text, boost), name in zip(texts, typed, strict=True):
        if boost > 0 and name != unquoted(text):
            yield name
    if len(texts) == len(query.terms) and any(boost < 0 for _, boost in texts):
        yield " ".join(typed)


def _typed(text: str, boost: float) -> str:
    factor = f"^{abs(boost):g}" if abs(boost) != 1 else ""
    return f"{'-' if boost < 0 else ''}{text}{factor}"


def rank_query(
    executors: Executors,
    encoded: EncodedQuery,
    options: SearchOptions,
    *,
    indexing: float = 0.0,
    require: bool = False,
) -> Results:
    """Rank images for a query, all from one snapshot: the second half of the querying flow.

    Args:
        executors: the executors.
        encoded: what to find.
        options: how hits are chosen; its folders are relative to the one searched.
        indexing: how long the indexing flow took before, milliseconds.
        require: raise an error if nothing is indexed, or the archive was purged.

    Raises:
        ImageUnknown: an image of the query was removed since the query was encoded.
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
    """Raise an error for a query that this snapshot of the store cannot answer."""
    if require:
        executors.indexer.ensure_indexed()
    space = executors.encoder.space
    with executors.snapshot() as snapshot:
        for id_ in (term.id for term in query.terms if term.id is not None):
            if snapshot and image_by_id(snapshot, space, Filter(), id_) is None:
                raise ImageUnknown(id_)


def _milliseconds(started: float) -> float:
    return 1000 * (time.perf_counter() - started)
