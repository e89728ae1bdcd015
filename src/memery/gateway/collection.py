"""A collection: one of several folders that are searched together; and its images."""

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
    """A folder with a name.

    Attributes:
        name: name of the folder, with a number if two folders have the same name.
        memery: the open folder.
    """

    name: str
    memery: Memery

    @property
    def is_available(self) -> bool:
        """Whether the folder exists now; its disk may be disconnected."""
        return self.memery.archive.searched.is_dir()

    def path_of(self, image: ImageFile) -> str:
        """Return the path of an image relative to the folder."""
        return self.relative_path(image.path)

    def relative_path(self, path: str) -> str:
        """Make a path in the archive relative to the folder."""
        return path.removeprefix(Filter(self.memery.archive.scope).prefix)


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image and its collection.

    Attributes:
        collection: the collection that contains the image.
        image: the image.
        copy_paths: paths of its exact copies, relative to the collection.
        lines: lines of text in the image; None if OCR has not run, or they were not looked up.
    """

    collection: Collection
    image: ImageFile
    copy_paths: tuple[str, ...] = ()
    lines: tuple[Line, ...] | None = None

    @property
    def path(self) -> str:
        """The path relative to the collection."""
        return self.collection.path_of(self.image)


def named_folders(paths: Sequence[str | os.PathLike[str]]) -> Iterator[tuple[str, Path]]:
    """Give each folder a unique name, and yield each folder once.

    Raises:
        FolderError: a path is empty, or one folder contains another.
    """
    taken: set[str] = set()
    seen: set[Path] = set()
    if not all(map(os.fspath, paths)):
        raise FolderError("The name of a folder is empty. Use . for the current folder.")
    for path in map(Path, paths):
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            path = path.expanduser().resolve()  # noqa: PLW2901 - the canonical path
        if path in seen:
            continue
        _refuse_nested(path, seen)
        seen.add(path)
        name = printable(path.name) or "root"
        numbered = (f"{name}-{number}" for number in count(2))
        unique = next(name for name in chain([name], numbered) if name not in taken)
        taken.add(unique)
        yield unique, path


def _refuse_nested(path: Path, others: Iterable[Path]) -> None:
    for other in others:
        outer, inner = sorted((path, other), key=lambda folder: len(folder.parts))
        if outer in inner.parents:
            raise FolderError(
                f"{inner} is inside {outer}, which is served too: its images would appear twice."
                " Name only one of the two."
            )
