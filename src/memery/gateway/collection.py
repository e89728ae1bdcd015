"""One of several folders that are searched as one, and an image of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from memery.errors import FolderError
from memery.gateway.library import Memery
from memery.query.filters import Filter
from memery.text.escaping import printable
from memery.types import ImageFile, Line


@dataclass(frozen=True, slots=True)
class Collection:
    """One of the folders.

    Attributes:
        name: of the folder; a number follows where two folders have the same.
        memery: the folder, opened.
    """

    name: str
    memery: Memery

    @property
    def is_available(self) -> bool:
        """Whether the folder is there now: its disk may have been taken out."""
        return self.memery.archive.searched.is_dir()

    def path_of(self, image: ImageFile) -> str:
        """The path of an image relative to the folder."""
        return self.inside(image.path)

    def inside(self, path: str) -> str:
        """A path of the archive relative to the folder."""
        return path.removeprefix(Filter(self.memery.archive.scope).prefix)


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image, and whose it is.

    Attributes:
        collection: whose.
        image: the facts about it.
        copy_paths: of its exact copies, relative to the collection.
        lines: the text in it; None where it was not read yet, or not looked up.
    """

    collection: Collection
    image: ImageFile
    copy_paths: tuple[str, ...] = ()
    lines: tuple[Line, ...] | None = None

    @property
    def path(self) -> str:
        """Relative to the collection."""
        return self.collection.path_of(self.image)


def named_folders(paths: Sequence[str | os.PathLike[str]]) -> Iterator[tuple[str, Path]]:
    """A name for each folder, each folder once."""
    taken: set[str] = set()
    seen: set[Path] = set()
    if not all(map(os.fspath, paths)):
        raise FolderError("The name of a folder is empty. Use . for the current folder.")
    for path in map(Path, paths):
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            path = path.expanduser().resolve()  # noqa: PLW2901 - the same folder by its real name
        if path in seen:
            continue
        _refuse_nested(path, seen)
        seen.add(path)
        name = printable(path.name) or "root"
        numbered = (f"{name}-{number}" for number in count(2))
        free = next(one for one in chain([name], numbered) if one not in taken)
        taken.add(free)
        yield free, path


def _refuse_nested(path: Path, others: Iterable[Path]) -> None:
    for other in others:
        outer, inner = sorted((path, other), key=lambda folder: len(folder.parts))
        if outer in inner.parents:
            raise FolderError(
                f"{inner} lies in {outer}, which is served too: its images would come twice."
                " Name one of the two."
            )
