"""Test doubles that ship with memery: small, deterministic, without files or weights.

`ColourModel` understands colours, `MemoryStore` keeps everything in memory. Both pass the contract
suites of their interfaces.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from memery.decoding import Resize
from memery.errors import RETRIED_REASONS, ArchiveLocked
from memery.models.interface import ModelInfo
from memery.stores.interface import Addition, Content, Found, SkipAddition, Space, Stamp
from memery.types import FileEntry, Filter, ImageFile, Skip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (220, 30, 30),
    "green": (30, 160, 30),
    "blue": (30, 60, 220),
    "yellow": (240, 220, 40),
    "orange": (240, 140, 30),
    "purple": (130, 40, 160),
    "pink": (250, 160, 190),
    "brown": (120, 70, 30),
    "cyan": (40, 210, 220),
}
"""What the model can name, as RGB."""
_REMEMBERED_QUERIES = 2000
_OTHER_WORDS = 20
"""Dimensions that words other than colours are hashed into."""


class ColourModel:
    """Embeds a picture as the shares of its colours, a text as the colours it names.

    Args:
        model_id: its name.
        fingerprint: change it to play another version of the model.
    """

    def __init__(self, model_id: str = "colours", fingerprint: str = "c0105") -> None:
        self.info = ModelInfo(
            model_id=model_id,
            fingerprint=fingerprint,
            dim=len(COLOURS) + _OTHER_WORDS,
            resize=Resize(32, "squash"),
            text_context=1000,
            licence="MIT",
            source="memery.testing",
            size=0,
        )

    def encode_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Share of the pixels that are nearest to each colour: N × dim, L2-normalised."""
        import numpy as np

        palette = np.array(list(COLOURS.values()), dtype=np.int32)
        embeddings = np.zeros((len(images), self.info.dim), dtype=np.float32)
        for row, image in enumerate(images):
            pixels = image.reshape(-1, 1, 3).astype(np.int32)
            nearest = np.square(pixels - palette).sum(axis=2).argmin(axis=1)
            embeddings[row, : len(COLOURS)] = np.bincount(nearest, minlength=len(COLOURS))
        return _normalised(embeddings)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Colours by name, other words by hash: N × dim, L2-normalised."""
        import numpy as np

        embeddings = np.zeros((len(texts), self.info.dim), dtype=np.float32)
        names = list(COLOURS)
        for row, text in enumerate(texts):
            for word in text.lower().split() or [""]:
                if word in COLOURS:
                    embeddings[row, names.index(word)] += 1
                else:
                    digest = hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()
                    embeddings[row, len(COLOURS) + digest[0] % _OTHER_WORDS] += 1
        return _normalised(embeddings)


def _normalised(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    unit: NDArray[np.float32] = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return unit


class MemoryStore:
    """A store without files. One process, one writer at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = 0
        self._settings: dict[str, str] = {}
        self._current: Space | None = None
        self._files: dict[str, tuple[FileEntry, str | None, SkipAddition | None]] = {}
        self._contents: dict[Space, dict[str, Content]] = {}
        self._queries: dict[tuple[Space, str], NDArray[np.float32]] = {}

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer."""
        if not self._lock.acquire(blocking=False):
            raise ArchiveLocked("The store is being written by another thread.", os.getpid())
        try:
            yield
        finally:
            self._lock.release()

    def version(self) -> int:
        """A number that grows with every commit."""
        return self._version

    def setting(self, name: str) -> str | None:
        """A choice that the store remembers, or None."""
        return self._settings.get(name)

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

    def switch_space(self, space: Space) -> None:
        """Let another space answer searches."""
        self._contents.setdefault(space, {})
        self._current = space
        self._version += 1

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
        """Digests that have an embedding in the space."""
        return set(self._contents.get(space, {}))

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

    def remove(self, paths: Collection[str]) -> list[str]:
        """Forget files; returns the digest of each that had a content."""
        removed = [self._files.pop(path)[1] for path in paths if path in self._files]
        self._version += 1
        return [digest for digest in removed if digest is not None]

    def prune(self) -> None:
        """Drop the embeddings of files that are gone."""
        used = {digest for _, digest, _ in self._files.values()}
        for space, contents in self._contents.items():
            self._contents[space] = {d: c for d, c in contents.items() if d in used}
        self._version += 1

    def _images(self, space: Space, scope: Filter) -> Iterator[tuple[ImageFile, Content]]:
        known = self._contents.get(space, {})
        for path, (entry, digest, _) in self._files.items():
            if digest in known and path.startswith(scope.prefix):
                content = known[digest]
                facts = (content.width, content.height, content.format, content.taken_at)
                yield ImageFile(path, entry.size, entry.mtime_ns, digest, *facts), content

    def count(self, space: Space, scope: Filter) -> int:
        """Images that a search in the space can find."""
        return sum(1 for _ in self._images(space, scope))

    def skips(self, scope: Filter) -> Sequence[Skip]:
        """Files that were left out, ordered by path."""
        found = [skipped.skip for _, _, skipped in self._files.values() if skipped]
        within = [skip for skip in found if skip.path.startswith(scope.prefix)]
        return sorted(within, key=lambda skip: os.fsencode(skip.path))

    def search(self, space: Space, vector: NDArray[np.float32], limit: int, scope: Filter) -> Found:
        """The images nearest to a unit vector."""
        import numpy as np

        query = vector.astype(np.float64)
        pairs = [
            (image, float(np.clip((_rounded(content.embedding) * query).sum(), -1, 1)))
            for image, content in self._images(space, scope)
        ]
        pairs.sort(key=lambda pair: (-pair[1], os.fsencode(pair[0].path)))
        return Found(pairs[:limit], len(pairs))

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
        return [f"{wrong} embeddings are not unit vectors"] if wrong else []

    def close(self) -> None:
        """Nothing is open."""


def _rounded(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """As every store keeps it: half precision."""
    import numpy as np

    return embedding.astype(np.float16).astype(np.float32)
