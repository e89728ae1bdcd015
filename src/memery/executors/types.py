"""Data types that executors exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memery.stores.records import RecognizedText, SkipRecord
from memery.types import Excluded, FileEntry, Hit, Skip

if TYPE_CHECKING:
    from memery.imaging.dates import Taken
    from memery.imaging.decoding import Decoded


@dataclass(frozen=True, slots=True)
class Changes:
    """The differences between a folder and the store.

    Attributes:
        new: files that are not in the store.
        changed: files to read again.
        gone: stored paths whose files were deleted or moved.
        unchanged: number of files that need not be opened.
        links: number of symbolic links that were not followed.
        skips: paths that could not be scanned; the store keeps its images there.
        excluded: folders of other programs, and files that memery cannot read.
    """

    new: tuple[FileEntry, ...] = ()
    changed: tuple[FileEntry, ...] = ()
    gone: tuple[str, ...] = ()
    unchanged: int = 0
    links: int = 0
    skips: tuple[Skip, ...] = ()
    excluded: Excluded = field(default_factory=Excluded)

    @property
    def pending_files(self) -> list[FileEntry]:
        """Every file to read, newest first."""
        return sorted((*self.new, *self.changed), key=lambda entry: -entry.mtime_ns)

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An image file that has been read.

    Attributes:
        entry: the file as it was when it was read.
        digest: SHA-256 of its bytes, hexadecimal.
        decoded: None if the digest already has an embedding.
        taken: the date, if the stored date of a known digest is outdated.
    """

    entry: FileEntry
    digest: str
    decoded: Decoded | None
    taken: Taken | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Files that the Crafter has processed; they are encoded and committed together.

    Attributes:
        images: files that were read.
        skips: skipped files, which are stored.
        vanished: files that were deleted before they could be read; they are not stored.
    """

    images: tuple[LoadedImage, ...]
    skips: tuple[SkipRecord, ...]
    vanished: tuple[Skip, ...] = ()


@dataclass(frozen=True, slots=True)
class OcrBatch:
    """Texts recognised by the TextReader; they are committed together.

    Attributes:
        texts: one for each image; without lines where the image contains no text.
        skipped: number of files that could not be read now; they stay pending.
        finding: seconds spent on text detection.
        recognising: seconds spent on text recognition.
    """

    texts: tuple[RecognizedText, ...]
    skipped: int = 0
    finding: float = 0.0
    recognising: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """The result of the Ranker.

    Attributes:
        hits: one page of them.
        total: images that pass the filter and the threshold.
        strong: how many of total are not weak; None if unknown.
        reasons: why there are no hits, as messages for the user.
    """

    hits: tuple[Hit, ...]
    total: int
    strong: int | None = None
    reasons: tuple[str, ...] = ()


class PixelsMissing(LookupError):  # noqa: N818 - a signal between executors, not a failure
    """An image was not decoded because it had an embedding, which has been deleted since."""
