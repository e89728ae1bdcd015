"""Exact search: float16 vectors in a memory-mapped file, scanned by faiss. Derived, disposable.

A generation is a folder `<store's uuid>-<space>-<number>/` with two files:

    vectors.faiss   faiss's header for a scalar-quantised fp16 flat index, then rows × dim float16
    ids.i64         rows × int64, ascending: the embeddings' ids in the store; then their CRC-32

The header depends only on rows and dim. It is compared byte by byte before faiss opens the file, so
that no length from an untrusted archive reaches faiss.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import struct
import uuid
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memery.archive import GENERATION_FILES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_VECTORS, _IDS = GENERATION_FILES
_ROWS_AT = 8
"""Offset of the number of vectors in faiss's header; its last 8 bytes are the size of the codes."""
FLOAT16 = 2
"""Bytes per number."""
_DIGITS = 20
"""Maximum number of digits of a generation's number."""


class ExactIndex:
    """One generation of the search index, memory-mapped.

    Attributes:
        ids: ascending ids of the embeddings, int64, shape (rows,).
    """

    def __init__(self, folder: Path, dim: int) -> None:
        """Open a generation.

        Raises:
            ValueError: it was not written by `write`.
            OSError: it cannot be read.
        """
        import faiss
        import numpy as np

        vectors, size = folder / _VECTORS, _regular_size(folder / _IDS)
        rows = size // 8 - 1
        header = _header(max(rows, 0), dim)
        if size % 8 or _regular_size(vectors) != len(header) + rows * dim * FLOAT16:
            raise ValueError(f"{folder} has files of the wrong size")
        ids = np.fromfile(folder / _IDS, dtype="<i8")
        if zlib.crc32(ids[:-1].tobytes()) != ids[-1]:
            raise ValueError(f"{folder / _IDS} has a wrong checksum")
        with vectors.open("rb") as file:
            if file.read(len(header)) != header:
                raise ValueError(f"{vectors} has a header that memery does not write")
        self.ids: NDArray[np.int64] = ids[:-1]
        self._faiss: Any = faiss.read_index(str(vectors), faiss.IO_FLAG_MMAP_IFC)
        self._sample: NDArray[np.float32] | None = None

    def search(
        self, vector: NDArray[np.float32], limit: int, allowed: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the best embeddings.

        Args:
            vector: a unit vector, float32 of shape (dim,).
            limit: the largest number of results.
            allowed: ids to search among, int64 of shape (n,); None searches all.

        Returns:
            Ids and scores, best first.
        """
        import faiss
        import numpy as np

        limit = min(limit, len(self.ids))
        if limit == 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        parameters = None
        if allowed is not None:
            rows = np.flatnonzero(np.isin(self.ids, allowed, assume_unique=True))
            parameters = faiss.SearchParameters(  # type: ignore[call-arg] # faiss patches it in
                sel=faiss.IDSelectorBatch(rows)
            )
        scores, rows = self._faiss.search(vector[np.newaxis], limit, params=parameters)
        found = rows[0] >= 0
        return self.ids[rows[0][found]], scores[0][found]

    def sample(self, count: int) -> NDArray[np.float32]:
        """Return at most count vectors, evenly spread over the rows: float32 of shape (n, dim).

        They are cached, since reading them takes a quarter of the time of a search.
        """
        import numpy as np

        if self._sample is None or len(self._sample) != min(count, len(self.ids)):
            rows = np.linspace(0, len(self.ids) - 1, min(count, len(self.ids))).astype(np.int64)
            self._sample = self._faiss.reconstruct_batch(rows)
        return self._sample

    def contains(self, ids: NDArray[np.int64], vectors: NDArray[np.float16]) -> bool:
        """Whether the file has these embeddings, or does not have their ids yet."""
        import numpy as np

        rows = np.searchsorted(self.ids, ids)
        known = rows < len(self.ids)
        known[known] = self.ids[rows[known]] == ids[known]
        if not known.any():
            return bool(ids[0] > self.ids[-1])
        stored = np.stack([self._faiss.reconstruct(int(row)) for row in rows[known]])
        return bool(np.array_equal(stored, vectors[known].astype(np.float32)))


def _regular_size(file: Path) -> int:
    """Return the size of a regular file in bytes; reject other kinds of files."""
    facts = file.lstat()
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError(f"{file} is not a regular file")
    return facts.st_size


def _header(rows: int, dim: int) -> bytes:
    """Return the bytes that faiss writes before the codes of an fp16 index of this shape."""
    import faiss

    empty = faiss.IndexScalarQuantizer(
        dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    empty.is_trained = True
    header = bytearray(faiss.serialize_index(empty).tobytes())
    struct.pack_into("<q", header, _ROWS_AT, rows)
    struct.pack_into("<q", header, len(header) - 8, rows * dim * FLOAT16)
    return bytes(header)


def write(
    parent: Path, name: str, dim: int, rows: int, blocks: Iterable[tuple[NDArray[np.int64], bytes]]
) -> Path:
    """Write a generation, block by block, and swap it in.

    Args:
        parent: the archive's index folder.
        name: name of the new generation's folder.
        dim: numbers per vector.
        rows: total number of vectors in the blocks.
        blocks: pairs of ids (int64 of shape (n,), ascending) and bytes of float16 vectors.

    Returns:
        The folder of the new generation.
    """
    parent.mkdir(parents=True, exist_ok=True)
    draft = parent / f".{name}-{uuid.uuid4().hex}"
    draft.mkdir()
    try:
        with (draft / _VECTORS).open("wb") as vectors, (draft / _IDS).open("wb") as ids:
            vectors.write(_header(rows, dim))
            checksum = 0
            for block_ids, block in blocks:
                content = block_ids.astype("<i8").tobytes()
                checksum = zlib.crc32(content, checksum)
                ids.write(content)
                vectors.write(block)
            ids.write(struct.pack("<q", checksum))
            for file in (vectors, ids):
                file.flush()
                os.fsync(file.fileno())
        draft.rename(parent / name)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return parent / name


def list_folders(parent: Path) -> list[Path]:
    """List the entries of the index folder, if it exists."""
    with contextlib.suppress(OSError):
        return list(parent.iterdir())
    return []


def generations(present: Iterable[Path], prefix: str) -> list[Path]:
    """Select the folders named prefix and a number, newest first."""
    found = []
    for folder in present:
        number = folder.name.removeprefix(prefix)
        if f"{prefix}{number}" == folder.name and number.isdecimal() and len(number) < _DIGITS:
            found.append((int(number), folder))
    return [folder for _, folder in sorted(found, reverse=True) if not folder.is_symlink()]


def delete_other_generations(parent: Path, keep: Path | None, prefix: str) -> None:
    """Delete other generations and drafts of killed writers. Open memory maps stay readable."""
    drafts = parent.glob(f".{prefix}*")
    for folder in [*generations(list_folders(parent), prefix), *drafts]:
        if folder != keep:
            shutil.rmtree(folder, ignore_errors=True)
