"""A store without files."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from memery.errors import ArchiveLocked
from memery.stores.records import IndexRecord, RecognizedText, SkipRecord, Space
from memery.testing.snapshot import MemorySnapshot, State
from memery.text.plurals import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_REMEMBERED_QUERIES = 2000


class MemoryStore:
    """A store without files. One process, one writer at a time.

    The state is immutable: writers replace it, and a snapshot keeps the one it started with.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread = threading.local()
        self._queries: dict[tuple[Space, str], NDArray[np.float32]] = {}
        self.state = State()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[MemorySnapshot]:
        """Open a snapshot of the current state."""
        outer = getattr(self._thread, "state", None)
        self._thread.state = outer or self.state
        try:
            yield MemorySnapshot(self._thread.state)
        finally:
            self._thread.state = outer

    @contextlib.contextmanager
    def writing(self) -> Iterator[MemoryWriter]:
        """Lock the store for writing."""
        if not self._lock.acquire(blocking=False):
            raise ArchiveLocked("The store is being written by another thread.", os.getpid())
        try:
            yield MemoryWriter(self)
        finally:
            self._lock.release()

    def query_embedding(self, space: Space, text: str) -> NDArray[np.float32] | None:
        """Read the stored embedding of a query text, or None."""
        return self._queries.get((space, text)) if space in self.state.contents else None

    def remember_query(self, space: Space, text: str, embedding: NDArray[np.float32]) -> None:
        """Store the embedding of a query text."""
        if space in self.state.contents:
            self._queries[space, text] = embedding
        if len(self._queries) > _REMEMBERED_QUERIES:
            del self._queries[next(iter(self._queries))]

    def refresh(self, space: Space) -> None:
        """Do nothing: this store has no search index."""

    def verify(self, space: Space) -> Sequence[str]:
        """Find embeddings that are not unit vectors."""
        import numpy as np

        embeddings = [c.embedding for c in self.state.contents.get(space, {}).values()]
        wrong = sum(not np.isclose(np.linalg.norm(e), 1) for e in embeddings)
        return [f"{counted(wrong, 'embedding')} not of length 1"] if wrong else []

    def close(self) -> None:
        """Do nothing: the store has no files."""


class MemoryWriter:
    """Replaces the state of a store.

    Args:
        store: the store.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def _replace(self, **changes: Any) -> None:
        state = self._store.state
        self._store.state = replace(state, version=state.version + 1, **changes)

    def commit(
        self, space: Space, records: Sequence[IndexRecord], skips: Sequence[SkipRecord]
    ) -> None:
        """Store a batch."""
        state = self._store.state
        encoded = {record.digest: record.content for record in records if record.content}
        known = state.contents.get(space, {})
        self._replace(
            active=state.active or space,
            contents={**state.contents, space: {**known, **encoded}},
            files={
                **state.files,
                **{record.entry.path: (record.entry, record.digest, None) for record in records},
                **{skip.entry.path: (skip.entry, None, skip) for skip in skips},
            },
        )

    def commit_texts(self, texts: Sequence[RecognizedText]) -> None:
        """Store recognised texts."""
        state = self._store.state
        known = {digest for contents in state.contents.values() for digest in contents}
        new = {text.digest: text for text in texts if text.digest in known}
        self._replace(texts={**state.texts, **new})

    def remove(self, paths: Collection[str]) -> list[str]:
        """Remove files, and return the digests of those with a content."""
        files = dict(self._store.state.files)
        digests = [files.pop(path)[1] for path in paths if path in files]
        self._replace(files=files)
        return [digest for digest in digests if digest is not None]

    def prune(self) -> None:
        """Delete the contents without a file."""
        state = self._store.state
        used = {digest for _, digest, _ in state.files.values()}
        self._replace(
            contents={
                space: {digest: content for digest, content in contents.items() if digest in used}
                for space, contents in state.contents.items()
            },
            texts={digest: text for digest, text in state.texts.items() if digest in used},
        )

    def activate(self, space: Space) -> None:
        """Make a space active."""
        contents = self._store.state.contents
        self._replace(active=space, contents={**contents, space: contents.get(space, {})})

    def drop_space(self, space: Space) -> None:
        """Delete an inactive space."""
        state = self._store.state
        contents = {other: kept for other, kept in state.contents.items() if other != space}
        known = {digest for kept in contents.values() for digest in kept}
        files = {
            path: file for path, file in state.files.items() if file[1] is None or file[1] in known
        }
        self._replace(contents=contents, files=files)

    def remember(self, name: str, value: str) -> None:
        """Store a setting."""
        self._replace(settings={**self._store.state.settings, name: value})
