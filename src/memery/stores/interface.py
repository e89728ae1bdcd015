"""What a store is: the truth about a folder's images, and the search over their embeddings.

A store is held to this page by `tests/stores/contract.py`, which any implementation can run.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from memery.types import FileEntry, Filter, ImageFile, Skip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Stamp = tuple[int, int]
"""A file's size in bytes and its mtime_ns: while both stay, so does its content."""


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
        taken_at: EXIF date and time in ISO 8601, or None.
        embedding: float32 of shape (dim,), L2-normalised.
    """

    width: int
    height: int
    format: str
    taken_at: str | None
    embedding: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Addition:
    """An image to commit.

    Attributes:
        entry: the file as it was when it was read.
        digest: SHA-256 of its bytes, hexadecimal.
        content: None if the digest has an embedding in the space already.
    """

    entry: FileEntry
    digest: str
    content: Content | None


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
class SkipAddition:
    """A skipped file to commit, so that it is not opened again without need."""

    entry: FileEntry
    skip: Skip
    circumstances: str


class Store(Protocol):
    """Facts and embeddings of one folder of images. The store is the truth."""

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

        None means that it is to be read in any case: it has no embedding in the space; or it was
        skipped under other circumstances (decoders and limits), or for one of `RETRIED_REASONS`.
        """
        ...

    def known_digests(self, space: Space) -> set[str]:
        """Digests that have an embedding in the space, those of vanished files included."""
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

    def count(self, space: Space, scope: Filter) -> int:
        """Images that a search in the space can find."""
        ...

    def skips(self, scope: Filter) -> Sequence[Skip]:
        """Files that were left out, ordered by path."""
        ...

    def search(self, space: Space, vector: NDArray[np.float32], limit: int, scope: Filter) -> Found:
        """The images nearest to a unit vector of shape (dim,): at most limit of them."""
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

    def refresh(self, space: Space) -> None:
        """Bring what is derived for searching up to date. Not to be called while `writing`."""
        ...

    def verify(self, space: Space) -> Sequence[str]:
        """What is wrong with the store, one sentence each; empty if nothing is."""
        ...

    def close(self) -> None:
        """Let go of files and memory."""
        ...
