"""Text files written by users: UTF-8, with or without a byte order mark."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(file: Path, *, errors: str = "strict") -> str:
    """Read a text file.

    Args:
        file: path of the file.
        errors: how to handle bytes that are not UTF-8, as in `bytes.decode`.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is UTF-16, or not UTF-8 with errors="strict"; the message names the problem.
    """
    return _decoded(file.read_bytes(), errors)


def text_lines(stream: BinaryIO) -> Iterator[str]:
    """Read the non-blank lines of a stream one by one, stripped.

    Raises:
        OSError: the stream cannot be read.
        ValueError: as for `read_text`.
    """
    for line in stream:
        for part in _decoded(line, "strict").splitlines():  # a carriage return ends a line too
            if part.strip():
                yield part.strip()


def _decoded(data: bytes, errors: str) -> str:
    if data.startswith(_UTF_16) or b"\0" in data:
        raise ValueError("it is UTF-16 or not text; save it as UTF-8")
    try:
        return data.decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        where = f"{error.reason} at byte {error.start}"
        raise ValueError(f"it is not UTF-8 ({where}); save it as UTF-8") from None
