"""The two flows: the whole story of memery on one page.

index_flow:   Loader ──▶ Crafter ──▶ Encoder ──▶ Indexer, then Reader ──▶ Indexer
query_flow:   (index_flow if the folder changed) ──▶ Encoder ──▶ Ranker ──▶ Results
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from memery.archive import find_archive
from memery.assembly import default_executors
from memery.config import load_config
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
from memery.executors.crafter import start_decoder
from memery.executors.interface import Executors
from memery.executors.types import LoadedImage, PixelsMissing
from memery.filters import Filter
from memery.models.selection import multilingual_model
from memery.queries import Image, Text, make_query
from memery.results import Results
from memery.search_options import SearchOptions, split_settings, takes_search_parameters
from memery.stores.derived import image_by_id
from memery.types import DuplicateGroup, ImageFile, IndexReport, Progress, Query, Term, Timings
from memery.words.query import PAIRS_MAX, Words, words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

Report = Callable[[Progress], object]
"""What is called with the counts after each step."""
_SHOWN = 40
"""Characters of a text that a warning repeats."""


def index_flow(
    path: str | os.PathLike[str],
    *,
    progress: Report | None = None,
    rebuild: bool = False,
    executors: Executors | None = None,
    **settings: Any,
) -> IndexReport:
    """Bring the index of a folder up to date: read and encode only what is new or changed.

    Everything can be found by sight before the text in pictures is read.

    Args:
        path: the folder.
        progress: called with the counts after each committed batch.
        rebuild: read and encode everything anew; what is stored serves until it is replaced.
        executors: a flow of your own; by default `assembly.default_executors`.
        settings: fields of `Config`.

    Raises:
        MemeryError: see `memery.errors`. What was committed by then is kept.
    """
    with _opened(path, executors, settings, rebuild=rebuild) as x:
        return run_index(x, progress, rebuild=rebuild)


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
    progress: Report | None = None,
    executors: Executors | None = None,
    **settings: Any,
) -> Results:
    """Find the images of a folder that are nearest to texts, to pictures, or to both.

    Args:
        path: the folder.
        query: one or more texts or terms, or a whole Query; what is no str may be an image.
        image_query: one or more images: paths, bytes of image files, open binary files, PIL images,
            uint8 arrays of shape (height, width), (height, width, 3) or (height, width, 4).
        exclude: texts to find less of.
        exclude_images: pictures to find less of.
        more: hits of an earlier answer that were right: the query moves towards them.
        less: hits that were wrong: it moves away from them.
        where: which images may be found; the conditions below are added to it.
        refresh: run the index flow first. It does not read the text in images: `index_flow` does.
        progress: as in `index_flow`.
        executors: as in `index_flow`.
        options: {options}
        settings: fields of `Config`.

    Raises:
        QueryError: there is no query, or it points nowhere.
        MemeryError: see `memery.errors`.
    """
    asked = make_query(query, image_query, exclude, exclude_images, more, less)
    options, settings = split_settings(settings, where)
    with _opened(path, executors, settings, query=asked) as x:
        return search(x, asked, options, refresh=refresh, progress=progress)


def search(
    x: Executors,
    query: Query,
    options: SearchOptions,
    *,
    refresh: bool,
    progress: Report | None = None,
) -> Results:
    """Read the query's pictures, bring the index up to date if asked to, and run the query.

    All that the answer is made of is read from one snapshot of the store.
    """
    # A picture that cannot be read fails at once, before anything is indexed.
    pictures = x.crafter.craft_query(query, x.encoder.known)
    started = time.perf_counter()
    if refresh:
        refresh_index(x, progress)
    else:
        x.indexer.ensure_indexed()
    indexing = _milliseconds(started)
    encoded = encode_query(x, query, pictures, require=not refresh)
    return rank_query(x, encoded, options, indexing=indexing, require=not refresh)


def similar(
    x: Executors,
    image: Term,
    options: SearchOptions,
    *,
    refresh: bool,
    progress: Report | None = None,
) -> Results:
    """Find the images most like one; itself and its exact copies are left out.

    Raises:
        QueryError: the term is a text.
        ImageUnknown: the folder has no image of its id.
    """
    query = Query((image,))
    if image.text is not None:
        raise QueryError("Similar to what? Give an image; texts are for recall.")
    if image.id is None:
        (loaded,) = x.crafter.craft_query(query, x.encoder.known)
        digest = loaded.digest
    else:
        with x.snapshot():
            if not refresh:
                x.indexer.ensure_indexed()
            digest = _image(x, image.id).digest
    others = replace(options, mode="visual", filter=replace(options.filter, not_digest=digest))
    return search(x, query, others, refresh=refresh, progress=progress)


def _image(x: Executors, id_: str) -> ImageFile:
    with x.snapshot() as snapshot:
        within = Filter(x.archive.scope)
        image = snapshot and image_by_id(snapshot, x.encoder.space, within, id_)
    if not image:
        raise ImageUnknown(id_)
    return image


def find_duplicates(
    x: Executors,
    scope: Filter,
    *,
    exact_only: bool,
    refresh: bool,
    progress: Report | None = None,
) -> tuple[DuplicateGroup, ...]:
    """Bring the index up to date if asked to, and group the images that are one picture.

    Args:
        x: the executors.
        scope: which images; its folders are relative to the one searched.
        exact_only: only those with the same bytes.
        refresh: run the indexing flow first.
        progress: as in `index_flow`.
    """
    if refresh:
        refresh_index(x, progress)
    else:
        x.indexer.ensure_indexed()
    within = scope.within(x.archive.scope)
    return x.grouper.group(x.encoder.space, within, exact_only=exact_only)


def run_index(
    executors: Executors,
    progress: Report | None = None,
    *,
    rebuild: bool = False,
    reread: bool = False,
    activate: bool = True,
    ocr: bool = True,
) -> IndexReport:
    """Run the indexing flow with given executors.

    Args:
        executors: the executors.
        progress: as in `index_flow`.
        rebuild: as in `index_flow`.
        reread: open every file, to find changes that leave size and time as they were.
        activate: let the model's space answer searches from now on.
        ocr: recognise the text in images too, if there is a Reader.
    """
    notify = progress or (lambda _: None)
    crafter, encoder, indexer = executors.crafter, executors.encoder, executors.indexer
    scan = partial(executors.loader.load, encoder.space, everything=rebuild or reread)
    with indexer.run(scan, rebuild=rebuild, activate=activate) as run:
        if run.pending_files:
            notify(run.progress())
        files = crafter.craft(run.pending_files, run.known, run.undated, run.outdated)
        with contextlib.closing(files) as batches:
            for batch in batches:
                notify(run.commit(batch, encoder.encode_images(batch.images)))
    report = run.report()
    if not ocr or executors.reader is None:
        return report
    with (
        indexer.ocr_run(report, everything=rebuild) as ocr_run,
        contextlib.closing(executors.reader.read(ocr_run.pending_images)) as texts,
    ):
        for ocr_batch in texts:
            notify(ocr_run.commit(ocr_batch))
    return ocr_run.report()


def refresh_index(x: Executors, progress: Report | None = None) -> None:
    """The indexing flow; where it cannot run or go on, what was committed can be searched.

    An answer does not wait for the text in new pictures to be read.

    Raises:
        ArchiveDamaged: nothing in the archive can be relied on.
        ArchiveError: the archive cannot be written, and nothing was committed to it yet.
        FolderError: the folder's files cannot be read, likewise.
    """
    try:
        run_index(x, progress, activate=False, ocr=False)
    except ArchiveLocked as error:
        logger.warning("%s Meanwhile the answer is from what it has committed.", error)
    except ArchiveDamaged:
        raise
    except (ArchiveError, FolderError) as error:
        try:
            x.indexer.ensure_indexed()
        except (ArchiveMissing, ModelMismatch):
            raise error from None
        logger.warning("%s This answer is from what was indexed before.", error)


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
    words: Words
    encoding: float
    warnings: tuple[str, ...] = ()


def encode_query(
    x: Executors, query: Query, pictures: Sequence[LoadedImage], *, require: bool = False
) -> EncodedQuery:
    """The first half of the querying flow: it may wait for the model, so no snapshot is held.

    Args:
        x: the executors.
        query: what to find.
        pictures: its image terms, as the Crafter read them.
        require: refuse to search what was never indexed.
    """
    started = time.perf_counter()
    try:
        vector = x.encoder.encode_query(query, pictures)
    except PixelsMissing:
        vector = x.encoder.encode_query(query, x.crafter.craft_query(query, ()))
    except ImageUnknown:
        with x.snapshot():  # another process may have changed the archive between two terms
            _check(x, query, require=require)
        raise
    warnings = tuple(map(_unread(x), x.encoder.unread_texts(query)))
    return EncodedQuery(query, vector, _words(query, pictures), _milliseconds(started), warnings)


def _unread(x: Executors) -> Callable[[str], str]:
    """What to say of a text that the model cannot read."""
    model_id = x.encoder.space.model_id

    def sentence(text: str) -> str:
        name = multilingual_model()  # reads the registry, which few queries need
        return (
            f"The model {model_id} cannot read “{text[:_SHOWN]}”: only the words in images and the"
            f" names of files were compared with it. {name} reads many languages: memery models"
            f" pull {name}, then memery build PATH --model {name}"
        )

    return sentence


def _words(query: Query, pictures: Sequence[LoadedImage]) -> Words:
    wanted = [term for term in query.terms if term.boost > 0]
    given = zip((term for term in query.terms if term.image is not None), pictures, strict=True)
    boosted = (f"{term.text}^{term.boost:g}" for term in wanted if term.text and term.boost != 1)
    return replace(
        words_of(term.text for term in wanted if term.text),
        boosted_names=tuple(itertools.islice(boosted, PAIRS_MAX)),
        digests=frozenset(picture.digest for term, picture in given if term.boost > 0),
        ids=tuple(term.id for term in wanted if term.id is not None),
        has_less=len(wanted) < len(query.terms),
    )


def rank_query(
    x: Executors,
    encoded: EncodedQuery,
    options: SearchOptions,
    *,
    indexing: float = 0.0,
    require: bool = False,
) -> Results:
    """The second half of the querying flow: all of it from one snapshot.

    Args:
        x: the executors.
        encoded: what to find.
        options: how hits are chosen; its folders are relative to the one searched.
        indexing: what the indexing flow took before, in milliseconds.
        require: refuse to search what was never indexed, or has been purged.

    Raises:
        ImageUnknown: a term names an image that has gone since the query was encoded.
    """
    query, space = encoded.query, x.encoder.space
    within = replace(options, filter=options.filter.within(x.archive.scope))
    started = time.perf_counter()
    with x.snapshot():
        _check(x, query, require=require)
        ranked = x.ranker.rank(space, encoded.vector, encoded.words, within)
    took = Timings(indexing, encoded.encoding, _milliseconds(started))
    warnings = (*encoded.warnings, *ranked.reasons)
    model_id = space.model_id
    return Results(ranked.hits, ranked.total, query, model_id, took, ranked.strong, warnings)


def _check(x: Executors, query: Query, *, require: bool) -> None:
    """Refuse what the store, as it is in this snapshot, cannot answer."""
    if require:
        x.indexer.ensure_indexed()
    with x.snapshot() as snapshot:
        for id_ in (term.id for term in query.terms if term.id is not None):
            if snapshot and image_by_id(snapshot, x.encoder.space, Filter(), id_) is None:
                raise ImageUnknown(id_)


def _milliseconds(started: float) -> float:
    return 1000 * (time.perf_counter() - started)


def _opened(
    path: str | os.PathLike[str],
    executors: Executors | None,
    settings: dict[str, Any],
    *,
    rebuild: bool = False,
    query: Query | None = None,
) -> contextlib.AbstractContextManager[Executors]:
    if executors is not None:
        return contextlib.nullcontext(executors)
    config = load_config(**settings)
    if query is not None:
        start_decoder(query, path, config)
    return default_executors(find_archive(path, config.archive), config, rebuild=rebuild)
