"""Several stores searched as one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memery.stores.federated_snapshot import FederatedSnapshot, MemberSnapshot, first_not_none
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
    """One of the stores of a federated store.

    Attributes:
        name: prefix of its images' paths, up to the first `/`; unique, without `/`.
        store: the store.
        folder: the folder that is searched, relative to the store's root.
    """

    name: str
    store: Searchable
    folder: str = ""


class FederatedStore:
    """A store that combines the results of its members; filters apply within each member.

    The images it returns name their member (`ImageFile.member`), and their paths begin with the
    member's name. They keep the ids that they have in their member.

    Args:
        members: one or more.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[FederatedSnapshot]:
        """Begin a snapshot of each member before the first read."""
        with contextlib.ExitStack() as stack:
            snapshots = [stack.enter_context(member.store.snapshot()) for member in self._members]
            parts = zip(self._members, snapshots, strict=True)
            yield FederatedSnapshot(
                [MemberSnapshot(m.name, m.folder, snapshot) for m, snapshot in parts]
            )

    def query_embedding(self, space: Space, text: str) -> NDArray[np.float32] | None:
        """Return the first embedding of a query's text that a member has stored, or None."""
        return first_not_none(m.store.query_embedding(space, text) for m in self._members)

    def remember_query(self, space: Space, text: str, embedding: NDArray[np.float32]) -> None:
        """Store the embedding of a query's text in the first member."""
        self._members[0].store.remember_query(space, text, embedding)


def in_member(image: ImageFile) -> ImageFile:
    """Convert an image of a federated store to the image of its member."""
    return replace(image, path=image.path.removeprefix(f"{image.member}/"), member="")
