"""The errors that memery raises; each message says what happened, to which file, and what to do.

MemeryError
├── QueryError             the query's words, boosts or numbers make no search
│   └── ImageUnknown       no image that is indexed has this id
├── ConfigError            a setting has no such value
├── FolderError            the folder is missing, is no folder or cannot be read
├── ImageError             an image cannot be decoded (`reason` is one of `SKIP_REASONS`)
│   └── QueryImageError    … and it is an image of the query
├── ArchiveError           the archive cannot be read or written
│   ├── ArchiveMissing     nothing was indexed here yet
│   ├── ArchiveLocked      another process is writing (`holder` says which)
│   ├── ArchiveDamaged     its content is not what memery writes
│   └── ArchiveFull        the disk or quota is full
├── ModelError             the model is not to be had
│   ├── ModelMismatch      the model does not fit what the archive holds
│   └── ModelBusy          more is asked of the model than it can do: try again
└── ReaderError            what reads the text in pictures is not to be had
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CRASHED, TIMED_OUT = "decoder crashed", "decoder timed out"
SKIP_REASONS = (
    "not an image",
    "unsupported format",
    "truncated",
    "damaged",
    "too large",
    CRASHED,
    TIMED_OUT,
    "forbidden",
    "input/output error",
    "name too long",
    "vanished",
)
"""Why a file was left out, from content to circumstances."""

RETRIED_REASONS = frozenset({"forbidden", "input/output error"})
"""Reasons that may end without the file or the decoders changing."""


class MemeryError(Exception):
    """Base of every error that memery raises on purpose."""


class QueryError(MemeryError):
    """The query's words, boosts or numbers make no search."""


class QueryTypeError(QueryError, TypeError):
    """A part of the query is of a type that makes no term; the message names those that do."""


class FilterConflict(QueryError):  # noqa: N818 - names a state, like ArchiveMissing
    """Two conditions of a filter exclude each other.

    Attributes:
        fields: their names.
    """

    def __init__(self, message: str, fields: tuple[str, ...]) -> None:
        super().__init__(message)
        self.fields = fields


class ImageUnknown(QueryError):  # noqa: N818 - a state, as those below
    """No image that is indexed has this id.

    Attributes:
        id: what was asked for.
    """

    def __init__(self, id_: str) -> None:
        super().__init__(
            f"No image that is indexed has the id {id_[:40]!r}: search anew, it may have changed."
        )
        self.id = id_


class ConfigError(MemeryError):
    """A setting has no such value."""


class FolderError(MemeryError):
    """The folder is missing, is no folder or cannot be read."""


class ImageError(MemeryError):
    """An image cannot be decoded.

    Attributes:
        reason: one of `SKIP_REASONS`.
        detail: what the decoder or the system said.
    """

    def __init__(self, reason: str, detail: str = "", subject: str = "") -> None:
        what = f"{reason} ({detail})" if detail else reason
        super().__init__(f"{subject} cannot be used: {what}." if subject else what)
        self.reason = reason
        self.detail = detail


class QueryImageError(ImageError):
    """An image of the query cannot be decoded.

    Attributes:
        term: its number among the image terms of the query, from 0.
    """

    def __init__(self, error: ImageError, subject: str, term: int) -> None:
        super().__init__(error.reason, error.detail, subject)
        self.term = term


class ArchiveError(MemeryError):
    """The archive cannot be read or written."""


class ArchiveMissing(ArchiveError):  # noqa: N818 - a state, read as one: "archive missing"
    """Nothing was indexed here yet."""


class ArchiveLocked(ArchiveError):  # noqa: N818 - likewise
    """Another process is writing to the archive.

    Attributes:
        holder: the writer's process id, or None where it could not be read.
    """

    def __init__(self, message: str, holder: int | None) -> None:
        super().__init__(message)
        self.holder = holder


class ArchiveDamaged(ArchiveError):  # noqa: N818 - likewise
    """The archive's content is not what memery writes."""


class ArchiveFull(ArchiveError):  # noqa: N818 - likewise
    """The disk or the quota is full."""


class ModelError(MemeryError):
    """The model is not to be had."""


class ModelMismatch(ModelError):  # noqa: N818 - likewise
    """The model does not fit what the archive holds."""


class ModelBusy(ModelError):  # noqa: N818 - a state, as those above
    """More is asked of the model than it can do: try again."""


class ReaderError(MemeryError):
    """What reads the text in pictures is not to be had."""


def unwritable(folder: Path, error: OSError) -> ArchiveError:
    """The error for a failed write to an archive: what is wrong, and what the user can do."""
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ArchiveFull(
            f"The disk is full: the archive {folder} cannot grow. What was committed is kept;"
            " make room, or name another place with --archive, then run the command again."
        )
    return ArchiveError(
        f"The archive {folder} cannot be written: {error.strerror or error}."
        " Mend its permissions, or name another place with --archive."
    )
