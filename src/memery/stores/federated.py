"""Several stores that are searched as if they were one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memery.stores.federated_snapshot import FederatedSnapshot, Part, first_of
from memery.stores.interface import Searchable
from memery.stores.records import (
    Space,
)
from memery.types import ImageFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Member:
    """One of the stores.

    Attributes:
        name: what the paths of its images begin with, before the first `/`; unique, without `/`.
        store: the store.
        scope: the folder that is searched, relative to the store's root.
    """

    name: str
    store: Searchable
    scope: str = ""


class FederatedStore:
    """Answers from every member; filters hold within each of them.

    The images that it gives name their member (`ImageFile.member`), and their paths begin with its
    name. They are looked up by the ids that they have in their member.

    Args:
        members: one or more.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[FederatedSnapshot]:
        """One snapshot of each member; all of them begin before anything is read."""
        with contextlib.ExitStack() as stack:
            snapshots = [stack.enter_context(member.store.snapshot()) for member in self._members]
            parts = zip(self._members, snapshots, strict=True)
            yield FederatedSnapshot([Part(m.name, m.scope, snapshot) for m, snapshot in parts])

    def query_embedding(self, space: Space, text: str) -> NDArray[np.float32] | None:
        """The first embedding of a query's text that a member remembers, or None."""
        return first_of(m.store.query_embedding(space, text) for m in self._members)

    def remember_query(self, space: Space, text: str, embedding: NDArray[np.float32]) -> None:
        """Let the first member remember the embedding of a query's text."""
        self._members[0].store.remember_query(space, text, embedding)


def in_member(image: ImageFile) -> ImageFile:
    """An image of a federated store as its member knows it."""
    return replace(image, path=image.path.removeprefix(f"{image.member}/"), member="")
