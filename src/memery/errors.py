"""The errors of memery. Each message says what is wrong, in which file, and what to do.

MemeryError
├── QueryError             the query or a search parameter is not valid
│   └── ImageUnknown       no indexed image has this id
├── ConfigError            a setting has an invalid value
├── FolderError            the folder is missing, not a folder, or cannot be read
├── ImageError             an image cannot be read or decoded (`reason` is one of `SKIP_REASONS`)
│   └── QueryImageError    an image of the query cannot be read or decoded
├── ArchiveError           the archive cannot be read or written
│   ├── ArchiveMissing     nothing is indexed here yet
│   ├── ArchiveLocked      another process is writing (`holder` is its process id)
│   ├── ArchiveDamaged     the archive is damaged
│   └── ArchiveFull        the disk or quota is full
├── ModelError             the model is not available
│   ├── ModelMismatch      the model does not fit the archive
│   └── ModelBusy          the model is overloaded: try again later
└── ReaderError            the OCR engine is not available
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
"""Why a file was skipped: reasons in the content first, then in the environment."""

RETRIED_REASONS = frozenset({"forbidden", "input/output error"})
"""Reasons that may disappear although neither the file nor the decoders change."""


class MemeryError(Exception):
    """Base class of the errors of memery."""


class QueryError(MemeryError):
    """The query or a search parameter is not valid."""


class QueryTypeError(QueryError, TypeError):
    """A part of the query has an unsupported type; the message lists the supported ones."""


class FilterConflict(QueryError):  # noqa: N818 - public name of a state: renaming breaks callers
    """Two conditions of a filter exclude each other.

    Attributes:
        fields: the names of the conditions.
    """

    def __init__(self, message: str, fields: tuple[str, ...]) -> None:
        super().__init__(message)
        self.fields = fields


class ImageUnknown(QueryError):  # noqa: N818 - public name of a state: renaming breaks callers
    """No indexed image has this id.

    Attributes:
        id: the unknown id.
    """

    def __init__(self, id_: str) -> None:
        super().__init__(
            f"No indexed image has the id {id_[:40]!r}. It may have changed: search again."
        )
        self.id = id_


class ConfigError(MemeryError):
    """A setting has an invalid value."""


class FolderError(MemeryError):
    """The folder is missing, not a folder, or cannot be read."""


class ImageError(MemeryError):
    """An image cannot be read or decoded.

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
    """An image of the query cannot be read or decoded.

    Attributes:
        term: index of the image among the image terms of the query, from 0.
    """

    def __init__(self, error: ImageError, subject: str, term: int) -> None:
        super().__init__(error.reason, error.detail, subject)
        self.term = term


class ArchiveError(MemeryError):
    """The archive cannot be read or written."""


class ArchiveMissing(ArchiveError):  # noqa: N818 - public name of a state: renaming breaks callers
    """Nothing is indexed here yet."""


class ArchiveLocked(ArchiveError):  # noqa: N818 - public name of a state: renaming breaks callers
    """Another process is writing to the archive.

    Attributes:
        holder: process id of the writer; None if unknown.
    """

    def __init__(self, message: str, holder: int | None) -> None:
        super().__init__(message)
        self.holder = holder


class ArchiveDamaged(ArchiveError):  # noqa: N818 - public name of a state: renaming breaks callers
    """The archive is damaged."""


class ArchiveFull(ArchiveError):  # noqa: N818 - public name of a state: renaming breaks callers
    """The disk or the quota is full."""


class ModelError(MemeryError):
    """The model is not available."""


class ModelMismatch(ModelError):  # noqa: N818 - public name of a state: renaming breaks callers
    """The model does not fit the archive."""


class ModelBusy(ModelError):  # noqa: N818 - public name of a state: renaming breaks callers
    """The model is overloaded: try again later."""


class ReaderError(MemeryError):
    """The OCR engine is not available."""


def unwritable(folder: Path, error: OSError) -> ArchiveError:
    """Make the error for a failed write to an archive."""
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ArchiveFull(
            f"The disk is full: the archive {folder} cannot grow. Committed work is kept."
            " Free some space, or choose another place with --archive, and run the command again."
        )
    return ArchiveError(
        f"The archive {folder} cannot be written: {error.strerror or error}."
        " Fix its permissions, or choose another place with --archive."
    )
