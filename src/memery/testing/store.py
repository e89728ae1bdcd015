"""A store without files."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from memery.dates import SOURCES, date_in_name
from memery.errors import RETRIED_REASONS, ArchiveLocked
from memery.filters import Filter
from memery.likeness import LIKENESS_BYTES
from memery.plurals import counted
from memery.stores.interface import (
    Addition,
    Content,
    Facets,
    Found,
    Groups,
    Likenesses,
    Listing,
    Match,
    SkipAddition,
    Space,
    Stamp,
    Text,
)
from memery.types import FileEntry, ImageFile, Skip
from memery.words.names import all_name_words, is_called, name_words
from memery.words.splitting import split_text
from memery.words.tokens import joined, spaced, tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_REMEMBERED_QUERIES = 2000
P = ParamSpec("P")
R = TypeVar("R")


def _changing(
    method: Callable[Concatenate[MemoryStore, P], R],
) -> Callable[Concatenate[MemoryStore, P], R]:
    """Let a method wait until nobody reads from a snapshot."""

    @functools.wraps(method)
    def waiting(store: MemoryStore, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with store.snapshot():
            return method(store, *args, **kwargs)

    return waiting


class MemoryStore:
    """A store without files. One process, one writer at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mutex = threading.RLock()
        self._version = 0
        self._settings: dict[str, str] = {}
        self._current: Space | None = None
        self._files: dict[str, tuple[FileEntry, str | None, SkipAddition | None]] = {}
        self._contents: dict[Space, dict[str, Content]] = {}
        self._queries: dict[tuple[Space, str], NDArray[np.float32]] = {}
        self._texts: dict[str, Text] = {}

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer."""
        if not self._lock.acquire(blocking=False):
            raise ArchiveLocked("The store is being written by another thread.", os.getpid())
        try:
            yield
        finally:
            self._lock.release()

    def snapshot(self) -> AbstractContextManager[object]:
        """Let what changes anything wait until the snapshot ends."""
        return self._mutex

    def version(self) -> int:
        """A number that grows with every commit."""
        return self._version

    def setting(self, name: str) -> str | None:
        """A choice that the store remembers, or None."""
        return self._settings.get(name)

    @_changing
    def remember(self, name: str, value: str) -> None:
        """Remember a choice."""
        self._settings[name] = value
        self._version += 1

    def spaces(self) -> Sequence[tuple[Space, int]]:
        """Every space with its number of embeddings, oldest first."""
        return [(space, len(contents)) for space, contents in self._contents.items()]

    def current_space(self) -> Space | None:
        """The space that answers searches."""
        return self._current

    @_changing
    def switch_space(self, space: Space) -> None:
        """Let another space answer searches."""
        self._contents.setdefault(space, {})
        self._current = space
        self._version += 1

    @_changing
    def drop_space(self, space: Space) -> None:
        """Forget a space that does not answer searches."""
        self._contents.pop(space, None)
        self._queries = {key: value for key, value in self._queries.items() if key[0] != space}
        known = {digest for contents in self._contents.values() for digest in contents}
        self._files = {
            path: (entry, digest, skipped)
            for path, (entry, digest, skipped) in self._files.items()
            if digest is None or digest in known
        }
        self._version += 1

    def settled(self, space: Space, scope: Filter, circumstances: str) -> dict[str, Stamp | None]:
        """Every path known, with the stamp under which its file need not be read again."""
        known = self._contents.get(space, {})
        stamps: dict[str, Stamp | None] = {}
        for path, (entry, digest, skipped) in self._files.items():
            if not path.startswith(scope.prefix):
                continue
            if skipped is None:
                settled = digest in known
            else:
                same = skipped.circumstances == circumstances
                settled = same and skipped.skip.reason not in RETRIED_REASONS
            stamps[path] = (entry.size, entry.mtime_ns) if settled else None
        return stamps

    def known_digests(self, space: Space) -> set[str]:
        """Digests that need not be encoded."""
        return set(self._contents.get(space, {}))

    def outdated(self, space: Space) -> set[str]:  # noqa: ARG002 - the Protocol's
        """None: no earlier memery has written here."""
        return set()

    def undated(self) -> set[str]:
        """None: no earlier memery has written here."""
        return set()

    def count_dates(self, space: Space, scope: Filter) -> dict[str, int]:
        """Images by the source of their date."""
        counts = Counter(image.date_source for image, _ in self._images(space, scope))
        return {source: counts[source] for source in SOURCES if source in counts}

    def damaged(self, space: Space, scope: Filter) -> list[ImageFile]:
        """Images of whose files a part was decoded, ordered by path."""
        found = [image for image, _ in self._images(space, scope) if image.damage]
        return sorted(found, key=lambda image: os.fsencode(image.path))

    @_changing
    def commit(
        self, space: Space, additions: Sequence[Addition], skips: Sequence[SkipAddition]
    ) -> None:
        """Store a batch."""
        contents = self._contents.setdefault(space, {})
        self._current = self._current or space
        for addition in additions:
            if addition.content is not None:
                contents[addition.digest] = addition.content
            self._files[addition.entry.path] = (addition.entry, addition.digest, None)
        for skip in skips:
            self._files[skip.entry.path] = (skip.entry, None, skip)
        self._version += 1

    @_changing
    def remove(self, paths: Collection[str]) -> list[str]:
        """Forget files; returns the digest of each that had a content."""
        removed = [self._files.pop(path)[1] for path in paths if path in self._files]
        self._version += 1
        return [digest for digest in removed if digest is not None]

    @_changing
    def prune(self) -> None:
        """Drop the embeddings of files that are gone."""
        used = {digest for _, digest, _ in self._files.values()}
        for space, contents in self._contents.items():
            self._contents[space] = {d: c for d, c in contents.items() if d in used}
        self._texts = {digest: text for digest, text in self._texts.items() if digest in used}
        self._version += 1

    def _images(self, space: Space, scope: Filter) -> Iterator[tuple[ImageFile, Content]]:
        known = self._contents.get(space, {})
        for path, (entry, digest, _) in self._files.items():
            if digest in known:
                content = known[digest]
                taken = content.taken_at or date_in_name(PurePosixPath(path).name)
                source = content.date_source or "exif" if content.taken_at else "name"
                image = ImageFile(
                    path,
                    entry.size,
                    entry.mtime_ns,
                    digest,
                    content.width,
                    content.height,
                    content.format,
                    taken,
                    content.colour,
                    source if taken else "file",
                    content.damage,
                )
                if self._passes(image, content, scope):
                    yield image, content

    def _passes(self, image: ImageFile, content: Content, scope: Filter) -> bool:
        width, height, widest, highest = scope.sides
        date = datetime.fromtimestamp(image.mtime_ns / 1e9)
        if image.taken_at is not None:
            date = datetime.fromisoformat(image.taken_at)
        name = os.fsencode(image.path).lower()
        shape = ("landscape", "portrait", "square")[
            (image.width < image.height) + 2 * (image.width == image.height)
        ]
        text = self._texts.get(image.digest)
        written = [" ".join(words) for words in self._written(image, content)]
        quoted = [(_cut(phrase), _cut(joined(phrase))) for phrase in scope.quoted]
        return (
            image.path.startswith(scope.prefix)
            and not any(image.path.startswith(f"{folder}/") for folder in scope.not_under)
            and (scope.earliest is None or date >= scope.earliest)
            and (scope.latest is None or date <= scope.latest)
            and (not scope.ext or any(name.endswith(f".{e}".encode()) for e in scope.ext))
            and not any(name.endswith(f".{e}".encode()) for e in scope.not_ext)
            and scope.orientation in ("", shape)
            and scope.not_orientation != shape
            and width <= image.width <= widest
            and height <= image.height <= highest
            and (
                scope.has_text is None or (text is not None and scope.has_text == bool(text.lines))
            )
            and all(any(f" {q} " in f" {w} " for w in written for q in either) for either in quoted)
            and scope.not_digest != image.digest
        )

    def _written(self, image: ImageFile, content: Content) -> list[list[str]]:
        """Token lists: the text as it was read, the same split, the name, all of it, the notes."""
        text = self._texts.get(image.digest)
        raw = "\n".join(line.text for line in text.lines) if text else ""
        named, whole = name_words(image.path), all_name_words(image.path)
        noted = tokens(spaced(joined(content.notes)))
        return [tokens(raw), split_text(raw).split(), named, whole, noted]

    def image(self, space: Space, id_: str) -> ImageFile | None:
        """The image of the space that has an id, or None."""
        images = (image for image, _ in self._images(space, Filter()))
        return next((image for image in images if image.id == id_), None)

    def _listed(self, space: Space, scope: Filter, *, fold: bool) -> list[ImageFile]:
        """Images that pass a filter, by path; with fold, the first of each content."""
        images = [image for image, _ in self._images(space, scope)]
        images.sort(key=lambda image: os.fsencode(image.path))
        first: dict[str, ImageFile] = {}
        for image in images:
            first.setdefault(image.digest, image)
        return list(first.values()) if fold else images

    def copies(self, images: Sequence[ImageFile], scope: Filter) -> Sequence[Sequence[str]]:
        """The paths of the other exact copies of each image that pass a filter, in order."""
        found = (self._listed(space, scope, fold=False) for space in self._contents)
        every = {image.path: image for images in found for image in images}.values()
        return [
            [one.path for one in every if one.digest == image.digest and one.path != image.path]
            for image in images
        ]

    def content_key(self, image: ImageFile) -> str:
        """The digest."""
        return image.digest

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
        """Images that pass a filter."""
        images = self._listed(space, scope, fold=fold)
        if order == "date":
            images.sort(key=lambda image: image.date, reverse=True)
        return Listing(images[offset : offset + limit], len(images))

    def likenesses(self, space: Space, scope: Filter) -> Likenesses:
        """What copies are found by, each content once."""
        import numpy as np

        known = {image.digest: content for image, content in self._images(space, scope)}
        digests = sorted(d for d, c in known.items() if len(c.hashes) == LIKENESS_BYTES)
        embeddings = np.zeros((len(digests), space.dim), dtype=np.float16)
        for row, digest in enumerate(digests):
            embeddings[row] = known[digest].embedding
        return Likenesses(digests, [known[digest].hashes for digest in digests], embeddings)

    def facets(self, space: Space, scope: Filter, *, fold: bool = False) -> Facets:
        """What the images that pass a filter can be narrowed by."""
        images = self._listed(space, scope, fold=False)
        keys = {image.path: image.digest if fold else image.path for image in images}
        paths = [PurePosixPath(path) for path in keys]
        above = {(str(up), keys[str(path)]) for path in paths for up in path.parents}
        folders = Counter(folder for folder, _ in above)
        months = Counter(image.date[:7] for image in self._listed(space, scope, fold=fold))
        endings = {(path.suffix[1:].lower(), keys[str(path)]) for path in paths}
        types = Counter(ending for ending, _ in endings)
        return Facets(
            {folder.removeprefix("."): count for folder, count in folders.items()},
            dict(sorted(months.items(), reverse=True)),
            dict(sorted(types.items(), key=lambda pair: (-pair[1], pair[0]))),
        )

    def count(self, space: Space, scope: Filter) -> int:
        """Images that a search in the space can find."""
        return sum(1 for _ in self._images(space, scope))

    def skips(self, scope: Filter) -> Sequence[Skip]:
        """Files that were left out, ordered by path."""
        found = [skipped.skip for _, _, skipped in self._files.values() if skipped]
        within = [skip for skip in found if skip.path.startswith(scope.prefix)]
        return sorted(within, key=lambda skip: os.fsencode(skip.path))

    def search(
        self,
        space: Space,
        vector: NDArray[np.float32],
        limit: int,
        scope: Filter,
        *,
        fold: bool = False,
    ) -> Found:
        """The images nearest to a unit vector."""
        pairs = self._scored(space, vector, scope, fold=fold)
        return Found(pairs[:limit], len(pairs))

    def _scored(
        self, space: Space, vector: NDArray[np.float32], scope: Filter, *, fold: bool
    ) -> list[tuple[ImageFile, float]]:
        import numpy as np

        query, known = vector.astype(np.float64), self._contents.get(space, {})
        pairs = [
            (image, float(np.clip((_rounded(known[image.digest].embedding) * query).sum(), -1, 1)))
            for image in self._listed(space, scope, fold=fold)
        ]
        return sorted(pairs, key=lambda pair: (-pair[1], os.fsencode(pair[0].path)))

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
        return sum(score >= least for _, score in self._scored(space, vector, scope, fold=fold))

    def background(self, space: Space, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosines of a unit vector with every embedding of the space."""
        import numpy as np

        embeddings = [_rounded(c.embedding) for c in self._contents.get(space, {}).values()]
        return np.array([e @ vector for e in embeddings], dtype=np.float32)

    def scores(
        self, space: Space, vector: NDArray[np.float32], digests: Collection[str]
    ) -> dict[str, float]:
        """The cosine of a unit vector with each content that has an embedding."""
        known = self._contents.get(space, {})
        return {d: float(_rounded(known[d].embedding) @ vector) for d in digests if d in known}

    def unread(self, scope: Filter, *, everything: bool = False) -> Sequence[tuple[FileEntry, str]]:
        """A file of every content whose text was not read yet, newest first, with the digest."""
        files = {
            digest: (entry, digest)
            for path, (entry, digest, _) in self._files.items()
            if digest
            and (everything or digest not in self._texts)
            and path.startswith(scope.prefix)
        }
        return sorted(files.values(), key=lambda pair: -pair[0].mtime_ns)

    @_changing
    def commit_texts(self, texts: Sequence[Text]) -> None:
        """Store what was read in pictures."""
        known = {digest for contents in self._contents.values() for digest in contents}
        self._texts |= {text.digest: text for text in texts if text.digest in known}
        self._version += 1

    def text(self, digest: str) -> Text | None:
        """What was read in a picture, or None."""
        return self._texts.get(digest)

    def count_texts(self, scope: Filter) -> tuple[int, int]:
        """Images whose text was read, and how many of them hold any."""
        texts = [
            self._texts[digest]
            for path, (_, digest, _) in self._files.items()
            if digest in self._texts and path.startswith(scope.prefix)
        ]
        return len(texts), sum(bool(text.lines) for text in texts)

    def readers(self) -> Sequence[tuple[str, int]]:
        """What read the text that is stored, each with the number of contents, most first."""
        counts = Counter(text.reader for text in self._texts.values())
        return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))

    def find_text(
        self, space: Space, words: Groups, scope: Filter, limit: int | None, besides: Groups = ()
    ) -> Sequence[Match]:
        """Images whose text holds any of the words, those with more of them first."""
        found = []
        for image, content in self._images(space, scope):
            raw, split, *_ = self._written(image, content)
            held, more = (
                sum(_holds(group, raw) or _holds(group, split) for group in groups)
                for groups in (words, besides)
            )
            if held:
                match = Match(image, held, more / max(len(besides), 1))
                found.append((-held - more, os.fsencode(image.path), match))
        return [match for _, _, match in sorted(found, key=lambda row: row[:2])][:limit]

    def find_names(
        self, space: Space, words: Groups, scope: Filter, limit: int | None
    ) -> Sequence[ImageFile]:
        """Images whose name and notes together hold all of the words."""
        found = []
        for image, content in self._images(space, scope):
            *_, named, whole, noted = self._written(image, content)
            numbers = [group for group in words if all(p[0].isdecimal() for p in group)]
            others = [group for group in words if group not in numbers] or numbers
            if (
                words
                and all(_holds(group, named) or _holds(group, noted) for group in others)
                and all(_holds(group, whole) or _holds(group, noted) for group in words)
            ):
                found.append(image)
        return sorted(found, key=lambda image: os.fsencode(image.path))[:limit]

    def find_called(
        self, space: Space, name: str, scope: Filter, limit: int | None
    ) -> Sequence[ImageFile]:
        """Images whose file has this name, then those in folders of this name."""
        images = self._listed(space, scope, fold=False)
        files = [image for image in images if is_called(image.path, name)]
        inside = [
            image
            for image in images
            if image not in files
            and any(
                is_called(str(folder), name, folder=True)
                for folder in PurePosixPath(image.path).parents
            )
        ]
        return [*files, *inside][:limit]

    def vocabulary(self, words: Collection[str]) -> set[str]:
        """Which of these tokens stand in the text of any picture."""
        lines = [line.text for text in self._texts.values() for line in text.lines]
        known = {token for line in lines for token in (*tokens(line), *split_text(line).split())}
        return known & set(words)

    def embedding(self, space: Space, digest: str) -> NDArray[np.float32] | None:
        """The embedding of a content, or None."""
        content = self._contents.get(space, {}).get(digest)
        return None if content is None else _rounded(content.embedding)

    def query_embedding(self, space: Space, text: str) -> NDArray[np.float32] | None:
        """The remembered embedding of a text, or None."""
        return self._queries.get((space, text))

    def remember_query(self, space: Space, text: str, embedding: NDArray[np.float32]) -> None:
        """Remember the embedding of a text."""
        if space in self._contents:
            self._queries[space, text] = embedding
        if len(self._queries) > _REMEMBERED_QUERIES:
            del self._queries[next(iter(self._queries))]

    def refresh(self, space: Space) -> None:
        """Nothing is derived here."""

    def verify(self, space: Space) -> Sequence[str]:
        """Embeddings that are no unit vectors."""
        import numpy as np

        embeddings = [c.embedding for c in self._contents.get(space, {}).values()]
        wrong = sum(not np.isclose(np.linalg.norm(e), 1) for e in embeddings)
        return [f"{counted(wrong, 'embedding')} not of length 1"] if wrong else []

    def close(self) -> None:
        """Nothing is open."""


def _cut(phrase: str) -> str:
    return " ".join(tokens(spaced(phrase)))


def _holds(group: Sequence[tuple[str, ...]], words: Sequence[str]) -> bool:
    return any(f" {' '.join(phrase)} " in f" {' '.join(words)} " for phrase in group)


def _rounded(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """As every store keeps it: half precision."""
    import numpy as np

    return embedding.astype(np.float16).astype(np.float32)
