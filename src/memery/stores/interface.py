"""What a store is: the truth about a folder's images, and the search over their embeddings.

A store is held to this page by `tests/stores/contract.py`, which any implementation can run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from memery.filters import Filter
from memery.types import FileEntry, ImageFile, Line, Skip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memery.dates import Taken


Stamp = tuple[int, int]
"""A file's size in bytes and its mtime_ns: while both stay, so does its content."""
Groups = Sequence[Sequence[tuple[str, ...]]]
"""Words to find: for each of them the phrases, of one token or more, any of which will do."""


@dataclass(frozen=True, slots=True)
class Space:
    """One embedding space.

    Attributes:
        model_id: the model's name.
        fingerprint: of the model's towers, preprocessing and precision.
        dim: numbers per embedding.
    """

    model_id: str
    fingerprint: str
    dim: int


@dataclass(frozen=True, slots=True)
class Content:
    """What was learnt from an image's bytes.

    Attributes:
        width: pixels, upright.
        height: likewise.
        format: what the content is.
        taken_at: date and time in ISO 8601 as its metadata says, or None.
        embedding: float32 of shape (dim,), L2-normalised.
        notes: what someone wrote into the file: title, description, keywords.
        hashes: its likeness, as `memery.likeness` makes it.
        colour: average colour, 0xRRGGBB.
        date_source: of taken_at, one of `memery.dates.SOURCES`; "" where it is None.
        damage: what is wrong with the file, of which a part was decoded; "" if nothing is.
    """

    width: int
    height: int
    format: str
    taken_at: str | None
    embedding: NDArray[np.float32]
    notes: str = ""
    hashes: bytes = b""
    colour: int | None = None
    date_source: str = ""
    damage: str = ""


@dataclass(frozen=True, slots=True)
class Addition:
    """An image to commit.

    Attributes:
        entry: the file as it was when it was read.
        digest: SHA-256 of its bytes, hexadecimal.
        content: None if the digest has an embedding in the space already.
        taken: what replaces the stored date of a content of `Store.undated`.
    """

    entry: FileEntry
    digest: str
    content: Content | None
    taken: Taken | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a search, all of it from one committed state.

    Attributes:
        ranked: images and their cosines, best first, equal scores ordered by path.
        total: images that pass the filter.
    """

    ranked: Sequence[tuple[ImageFile, float]]
    total: int


@dataclass(frozen=True, slots=True)
class Text:
    """What was read in a picture.

    Attributes:
        digest: of its content.
        reader: name and version of what read it.
        lines: none where the picture holds no text.
    """

    digest: str
    reader: str
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """An image whose text holds words that were asked for.

    Attributes:
        image: the image.
        held: how many of the groups of words stand in its text, 1 or more.
        besides: share of what else was looked for that stands there too, 0 to 1.
    """

    image: ImageFile
    held: int
    besides: float = 0.0


@dataclass(frozen=True, slots=True)
class Likenesses:
    """What copies are found by, of every content that has one.

    Attributes:
        digests: of the contents, ascending.
        likenesses: as `memery.likeness` makes them, in that order.
        embeddings: float16 of shape (n, dim), likewise.
    """

    digests: Sequence[str]
    likenesses: Sequence[bytes]
    embeddings: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class SkipAddition:
    """A skipped file to commit, so that it is not opened again without need."""

    entry: FileEntry
    skip: Skip
    circumstances: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of the images that pass a filter.

    Attributes:
        images: in the order asked for.
        total: how many there are.
    """

    images: Sequence[ImageFile]
    total: int


@dataclass(frozen=True, slots=True)
class Facets:
    """How many images there are of each kind.

    Attributes:
        folders: by path, images in folders below included; "" is the root.
        months: by year and month, such as 2023-05, of `ImageFile.date`; newest first.
        types: by extension in lower case, "" for none; most first.
    """

    folders: Mapping[str, int]
    months: Mapping[str, int]
    types: Mapping[str, int]


class Searchable(Protocol):
    """What a search asks for: of one store, or of several as if they were one."""

    def snapshot(self) -> AbstractContextManager[object]:
        """Read from one committed state.

        What the calling thread reads inside is as it was when the snapshot began, whatever others
        commit, purge or replace meanwhile. Entering a snapshot inside another changes nothing.
        Hold it while reading, not while a model computes: a database's log grows until it ends.
        """
        ...

    def count(self, space: Space, scope: Filter) -> int:
        """Images that a search in the space can find."""
        ...

    def search(
        self,
        space: Space,
        vector: NDArray[np.float32],
        limit: int,
        scope: Filter,
        *,
        fold: bool = False,
    ) -> Found:
        """The images nearest to a unit vector of shape (dim,): at most limit of them.

        With fold, exact copies are one image: the first of them by path that passes the filter.
        """
        ...

    def count_above(
        self,
        space: Space,
        vector: NDArray[np.float32],
        least: float,
        scope: Filter,
        *,
        fold: bool = False,
    ) -> int:
        """Images that pass a filter and whose cosine with a unit vector is least or more."""
        ...

    def copies(self, images: Sequence[ImageFile], scope: Filter) -> Sequence[Sequence[str]]:
        """The paths of the other exact copies of each image that pass a filter, in order."""
        ...

    def content_key(self, image: ImageFile) -> str:
        """What an image and its exact copies have in common, and no other image has."""
        ...

    def background(self, space: Space, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosines of a unit vector with embeddings that stand for the whole space.

        float32 of shape (n,): all of a small space, a sample of a large one.
        """
        ...

    def scores(
        self, space: Space, vector: NDArray[np.float32], digests: Collection[str]
    ) -> dict[str, float]:
        """The cosine of a unit vector with each content that has an embedding."""
        ...

    def text(self, digest: str) -> Text | None:
        """What was read in a picture, or None if nobody has read it."""
        ...

    def find_text(
        self, space: Space, words: Groups, scope: Filter, limit: int | None, besides: Groups = ()
    ) -> Sequence[Match]:
        """Images whose text holds any of the words, best first (bm25), equal ones by path.

        What stands there besides only counts for the order.
        """
        ...

    def find_names(
        self, space: Space, words: Groups, scope: Filter, limit: int | None
    ) -> Sequence[ImageFile]:
        """Images whose name and notes together hold all of the words, best first."""
        ...

    def find_called(
        self, space: Space, name: str, scope: Filter, limit: int | None
    ) -> Sequence[ImageFile]:
        """Images whose file has this name, then those that lie in folders of this name.

        The name may have folders before it, and lack the extension; case and Unicode's
        normalisation make no difference. Ordered by path.
        """
        ...

    def vocabulary(self, words: Collection[str]) -> set[str]:
        """Which of these tokens stand in the text of any picture."""
        ...

    def embedding(self, space: Space, digest: str) -> NDArray[np.float32] | None:
        """The embedding of a content, shape (dim,), or None."""
        ...

    def query_embedding(self, space: Space, text: str) -> NDArray[np.float32] | None:
        """The remembered embedding of a text, shape (dim,), or None."""
        ...

    def remember_query(self, space: Space, text: str, embedding: NDArray[np.float32]) -> None:
        """Remember the embedding of a text; the oldest are forgotten beyond a bound."""
        ...

    def image(self, space: Space, id_: str) -> ImageFile | None:
        """The image of the space that has an id, or None."""
        ...

    def browse(
        self,
        space: Space,
        scope: Filter,
        order: str,
        limit: int,
        offset: int,
        *,
        fold: bool = False,
    ) -> Listing:
        """Images that pass a filter, without a query.

        The order is "date" (newest first: `ImageFile.date`, then path) or "name". With fold, exact
        copies are one image, as in `search`.
        """
        ...

    def facets(self, space: Space, scope: Filter, *, fold: bool = False) -> Facets:
        """What the images that pass a filter can be narrowed by; folded as in `browse`."""
        ...


def snapshot_of(store: Searchable) -> AbstractContextManager[object]:
    """A snapshot of a store; plug-ins from before there were snapshots are read as they are."""
    taken: Callable[[], AbstractContextManager[object]] = getattr(store, "snapshot", nullcontext)
    return taken()


class Store(Searchable, Protocol):
    """Facts and embeddings of one folder of images. The store is the truth."""

    def likenesses(self, space: Space, scope: Filter) -> Likenesses:
        """What copies of the images that pass a filter are found by, each content once."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """Be the one writer; raises `ArchiveLocked` where another process is."""
        ...

    def version(self) -> int:
        """A number that grows with every commit, by any process."""
        ...

    def setting(self, name: str) -> str | None:
        """A choice that the archive remembers, or None."""
        ...

    def remember(self, name: str, value: str) -> None:
        """Remember a choice."""
        ...

    def spaces(self) -> Sequence[tuple[Space, int]]:
        """Every space with its number of embeddings, oldest first."""
        ...

    def current_space(self) -> Space | None:
        """The space that answers searches."""
        ...

    def switch_space(self, space: Space) -> None:
        """Let another space answer searches."""
        ...

    def drop_space(self, space: Space) -> None:
        """Forget a space with its embeddings and queries; not the one that answers searches.

        Files that no other space has an embedding of are forgotten too: they are new again.
        """
        ...

    def settled(self, space: Space, scope: Filter, circumstances: str) -> dict[str, Stamp | None]:
        """Every path known, with the stamp under which its file need not be read again.

        None means that it is to be read in any case: it has no embedding in the space, or no
        likeness, being from an archive of memery 0.2; or it was skipped under other circumstances
        (decoders and limits), or for one of `RETRIED_REASONS`.
        """
        ...

    def known_digests(self, space: Space) -> set[str]:
        """Digests that need not be encoded, those of vanished files included.

        They have an embedding in the space, and a likeness.
        """
        ...

    def outdated(self, space: Space) -> set[str]:
        """Digests whose embedding is from pixels that an earlier `memery.decoding` decoded.

        Their files are not settled. An addition without a content says that the embedding is right.
        """
        ...

    def undated(self) -> set[str]:
        """Digests whose metadata was last looked at by a memery that knew fewer kinds of dates.

        Their files are not settled: they are to be read once more, and not encoded.
        """
        ...

    def count_dates(self, space: Space, scope: Filter) -> Mapping[str, int]:
        """Images by the source of their date, in the order of `memery.dates.SOURCES`."""
        ...

    def damaged(self, space: Space, scope: Filter) -> Sequence[ImageFile]:
        """Images of whose files a part was decoded, ordered by path."""
        ...

    def commit(
        self, space: Space, additions: Sequence[Addition], skips: Sequence[SkipAddition]
    ) -> None:
        """Store a batch in one transaction: all of it, or nothing.

        The first space to be committed to answers searches from then on.
        """
        ...

    def remove(self, paths: Collection[str]) -> list[str]:
        """Forget files; returns the digest of each that had a content.

        Their embeddings stay, in case they come back under another name.
        """
        ...

    def prune(self) -> None:
        """Drop the embeddings of files that are gone."""
        ...

    def skips(self, scope: Filter) -> Sequence[Skip]:
        """Files that were left out, ordered by path."""
        ...

    def unread(self, scope: Filter, *, everything: bool = False) -> Sequence[tuple[FileEntry, str]]:
        """A file of every content whose text was not read yet, newest first, with the digest.

        With everything, one of those whose text was read too.
        """
        ...

    def commit_texts(self, texts: Sequence[Text]) -> None:
        """Store what was read in pictures, in one transaction; unknown contents are passed over."""
        ...

    def count_texts(self, scope: Filter) -> tuple[int, int]:
        """Images whose text was read, and how many of them hold any."""
        ...

    def readers(self) -> Sequence[tuple[str, int]]:
        """What read the text that is stored, each with the number of contents, most first."""
        ...

    def refresh(self, space: Space) -> None:
        """Bring what is derived for searching up to date. Not to be called while `writing`."""
        ...

    def verify(self, space: Space) -> Sequence[str]:
        """What is wrong with the store, one sentence each; empty if nothing is."""
        ...

    def close(self) -> None:
        """Let go of files and memory."""
        ...
