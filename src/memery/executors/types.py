"""The data that executors pass to one another."""

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
    """How a folder differs from what the store knows.

    Attributes:
        new: files to read that the store has not seen, newest first.
        changed: files to read again, newest first.
        gone: paths that are in the store and no longer in the folder.
        unchanged: how many files need not be opened.
        links: how many symbolic links were not followed.
        skips: what could not be scanned; the store keeps what it knows there.
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
    """An image file that was read.

    Attributes:
        entry: the file as it was when it was read.
        digest: SHA-256 of its bytes, hexadecimal.
        decoded: None if the digest has an embedding already, so that the pixels are not needed.
        taken: the date of a known digest whose stored date is out of date.
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
        skips: files that were skipped, to be remembered.
        vanished: files that were gone when they were to be read; they are not remembered.
    """

    images: tuple[LoadedImage, ...]
    skips: tuple[SkipRecord, ...]
    vanished: tuple[Skip, ...] = ()


@dataclass(frozen=True, slots=True)
class OcrBatch:
    """Texts that the Reader has recognised; they are committed together.

    Attributes:
        texts: one for each image; without lines where the image contains no text.
        skipped: files that could not be read now; they are not remembered.
        finding: seconds spent on text detection.
        recognising: seconds spent on text recognition.
    """

    texts: tuple[RecognizedText, ...]
    skipped: int = 0
    finding: float = 0.0
    recognising: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """What the Ranker returns.

    Attributes:
        hits: one page of them.
        total: images that pass the filter and the threshold.
        strong: how many of total are not weak; None where that cannot be told.
        reasons: why there are no hits, in sentences.
    """

    hits: tuple[Hit, ...]
    total: int
    strong: int | None = None
    reasons: tuple[str, ...] = ()


class PixelsMissing(LookupError):  # noqa: N818 - names a state, like ArchiveMissing
    """An image has no pixels, since its embedding was known, and that embedding is gone."""
