"""What each executor takes and gives. The flows know them by this page; any can be swapped.

index_flow:   Loader ─ Changes ─▶ Crafter ─ Batch ─▶ Encoder ─ embeddings ─▶ Indexer
              then Reader ─ Read ─▶ Indexer
query_flow:   Crafter ─ Picture ─▶ Encoder ─ vector ─▶ Ranker ─▶ hits
"""

from __future__ import annotations

from collections.abc import Container, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from memery.archive import Archive
from memery.excluded import Excluded
from memery.filters import Filter
from memery.stores.interface import Searchable, SkipAddition, Space, Text, snapshot_of
from memery.types import DuplicateGroup, FileEntry, Hit, IndexReport, Progress, Query, Ranking, Skip
from memery.words.query import Words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memery.dates import Taken
    from memery.decoding import Decoded


@dataclass(frozen=True, slots=True)
class Changes:
    """How a folder differs from what the store knows.

    Attributes:
        new: files to read that the store has not seen, newest first.
        changed: files to read again, newest first.
        gone: paths that the store knows and the folder has no more.
        unchanged: how many files need not be opened.
        links: how many symbolic links were left out.
        skips: what could not be looked at; what the store knows there stays.
        excluded: folders of other programs, and files that memery cannot read.
    """

    new: tuple[FileEntry, ...] = ()
    changed: tuple[FileEntry, ...] = ()
    gone: tuple[str, ...] = ()
    unchanged: int = 0
    links: int = 0
    skips: tuple[Skip, ...] = ()
    excluded: Excluded = field(default_factory=Excluded)

    @property
    def unread(self) -> list[FileEntry]:
        """Every file to read, newest first."""
        return sorted((*self.new, *self.changed), key=lambda entry: -entry.mtime_ns)

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that was read.

    Attributes:
        entry: the file as it was when it was read.
        digest: SHA-256 of its bytes, hexadecimal.
        decoded: None if the digest's embedding is known, so that nobody needs the pixels.
        taken: the date of a known digest whose stored one is out of date.
    """

    entry: FileEntry
    digest: str
    decoded: Decoded | None
    taken: Taken | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What the Crafter hands on at a time.

    Attributes:
        pictures: files that were read.
        skips: files that were left out, to be remembered.
        vanished: files that were gone when their turn came: nothing to remember.
    """

    pictures: tuple[Picture, ...]
    skips: tuple[SkipAddition, ...]
    vanished: tuple[Skip, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """What the Reader hands on at a time.

    Attributes:
        texts: what stands in pictures; one without lines for each that holds no text.
        passed: files that could not be read now: nothing to remember.
        finding: seconds spent on finding where text stands.
        recognising: seconds spent on saying what it is.
    """

    texts: tuple[Text, ...]
    passed: int = 0
    finding: float = 0.0
    recognising: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """What the Ranker answers.

    Attributes:
        hits: one page of them.
        total: images that pass the filter and the threshold.
        strong: how many of total are not weak; None where that cannot be told.
        reasons: why there are none, in sentences.
    """

    hits: tuple[Hit, ...]
    total: int
    strong: int | None = None
    reasons: tuple[str, ...] = ()


class Loader(Protocol):
    """Walks the folder and compares it with the store."""

    def load(self, space: Space, *, everything: bool = False) -> Changes:
        """Say what to read and what is gone; `everything` reads unchanged files too."""
        ...


class PixelsMissing(LookupError):  # noqa: N818 - names a state, like ArchiveMissing
    """A picture came without pixels, since its embedding was known, and the embedding has gone."""


class Crafter(Protocol):
    """Turns files into pictures."""

    def craft(
        self,
        entries: Sequence[FileEntry],
        known: Container[str],
        undated: Container[str] = (),
        outdated: Container[str] = (),
    ) -> Generator[Batch, None, None]:
        """Read files in parallel, in their order; decode those whose digest is not known.

        Of known ones that are undated, read the date again; decode those that are outdated, if
        their pixels differ from those of an earlier memery.
        """
        ...

    def craft_query(self, query: Query, known: Container[str]) -> list[Picture]:
        """Read the image terms of a query, in their order; decode those that are not known."""
        ...


class Reader(Protocol):
    """Finds the text in pictures."""

    def read(self, pending: Sequence[tuple[FileEntry, str]]) -> Generator[Read, None, None]:
        """Read files, given with the digests they had when they were indexed, in their order."""
        ...


class Encoder(Protocol):
    """Drives the model."""

    @property
    def space(self) -> Space:
        """The space that it encodes into."""
        ...

    @property
    def known(self) -> Container[str]:
        """Digests that need not be encoded again."""
        ...

    def encode_images(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Encode the pictures that have pixels: n × dim, L2-normalised."""
        ...

    def encode_query(self, query: Query, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """One unit vector of shape (dim,) for a query and its crafted image terms.

        Raises:
            PixelsMissing: the store was purged since an image term was crafted.
        """
        ...

    def unread_texts(self, query: Query) -> tuple[str, ...]:
        """The texts of a query that the model gives the same embedding as any others."""
        ...


class Indexer(Protocol):
    """Commits to the store and keeps count."""

    def expect(self, total: int) -> Progress:
        """Begin counting a run of that many files."""
        ...

    def begin(self) -> AbstractContextManager[None]:
        """Be the archive's one writer."""
        ...

    def is_stale(self) -> bool:
        """Whether another process has written since `expect`."""
        ...

    def known(self) -> set[str]:
        """Digests whose embedding is stored already."""
        ...

    def outdated(self) -> set[str]:
        """Digests whose embedding may be from other pixels than would be decoded now."""
        ...

    def undated(self) -> set[str]:
        """Digests whose stored date is out of date."""
        ...

    def remove(self, paths: Sequence[str]) -> None:
        """Forget files that are gone."""
        ...

    def index(self, batch: Batch, embeddings: NDArray[np.float32]) -> Progress:
        """Commit a batch in one transaction; embeddings as `Encoder.encode_images` gave them."""
        ...

    def answers(self) -> bool:
        """Whether the space is the one that answers searches of the whole archive."""
        ...

    def adopt(self) -> None:
        """Everything is committed: let the space answer searches from now on."""
        ...

    def prune(self) -> None:
        """Everything was encoded anew: drop what belongs to files that are gone."""
        ...

    def require(self) -> None:
        """Refuse to search a space that was never indexed."""
        ...

    def unread(self, *, everything: bool) -> Sequence[tuple[FileEntry, str]]:
        """Files whose text is to be read, with their digests: begin counting a run of them."""
        ...

    def index_texts(self, read: Read) -> Progress:
        """Commit what was read in one transaction."""
        ...

    def refresh(self) -> None:
        """Bring the search index up to date, outside `begin`."""
        ...

    def report(self, changes: Changes) -> IndexReport:
        """What was done."""
        ...


class Ranker(Protocol):
    """Turns a vector into hits."""

    def rank(
        self, space: Space, vector: NDArray[np.float32], words: Words, ranking: Ranking
    ) -> Ranked:
        """One page of hits, and how many there are in all."""
        ...


class Grouper(Protocol):
    """Finds the images that are one picture."""

    def group(self, space: Space, scope: Filter, *, exact_only: bool) -> tuple[DuplicateGroup, ...]:
        """Images that pass a filter and have copies, a group each."""
        ...


@dataclass(frozen=True, slots=True)
class Executors:
    """One of each, and the archive that they work on; a Reader only where text is to be read.

    The store is the one that the Encoder and the Ranker read, for a snapshot of it.
    """

    archive: Archive
    loader: Loader
    crafter: Crafter
    encoder: Encoder
    indexer: Indexer
    ranker: Ranker
    grouper: Grouper
    reader: Reader | None = None
    store: Searchable | None = None

    def snapshot(self) -> AbstractContextManager[object]:
        """Let all that a query reads be of one committed state."""
        return nullcontext() if self.store is None else snapshot_of(self.store)
