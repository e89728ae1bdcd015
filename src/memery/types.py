"""The public value types: frozen dataclasses without behaviour."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import overload

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file as its directory entry describes it.

    Attributes:
        path: relative to the archive's root, with `/`; undecodable bytes as surrogate escapes.
        size: bytes.
        mtime_ns: time of last modification, nanoseconds since the epoch.
    """

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class ImageFile:
    """The metadata of an indexed image.

    Attributes:
        path: as in `FileEntry`.
        size: bytes.
        mtime_ns: nanoseconds since the epoch.
        digest: SHA-256 of the content, 64 hexadecimal digits.
        width: pixels, after EXIF rotation.
        height: pixels, after EXIF rotation.
        format: of the content, as Pillow names it ("JPEG", "PNG", …).
        taken_at: date and time of its metadata, or else of its name, in ISO 8601; or None.
        colour: average colour, 0xRRGGBB; None if not known yet.
        date_source: the source of `date`, one of `memery.imaging.dates.SOURCES`.
        damage: what is wrong with a file that was decoded in part; else "".
        member: name of the folder in a federated search; else "".
    """

    path: str
    size: int
    mtime_ns: int
    digest: str
    width: int
    height: int
    format: str
    taken_at: str | None = None
    colour: int | None = None
    date_source: str = "file"
    damage: str = ""
    member: str = ""

    @property
    def date(self) -> str:
        """`taken_at`, or else the modification time: local time, ISO 8601."""
        modified = datetime.fromtimestamp(self.mtime_ns / _SECOND_NS)
        return self.taken_at or modified.isoformat()

    @property
    def id(self) -> str:
        """Opaque id of this content at this path: 32 hexadecimal digits."""
        return image_id(os.fsencode(self.path), bytes.fromhex(self.digest))


def image_id(path: bytes, digest: bytes) -> str:
    """Make the id of a content at a path.

    Args:
        path: as bytes, relative to the archive's root.
        digest: SHA-256 of the content, 32 bytes.
    """
    return hashlib.blake2b(path + b"\0" + digest, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Line:
    """A line of recognised text.

    Attributes:
        text: the text.
        confidence: of the OCR engine, 0 to 1.
        box: left, top, right, bottom, as fractions of the image's width and height.
    """

    text: str
    confidence: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Excluded:
    """What a scan excluded.

    Attributes:
        folders: number of folders by name; folders with a `.nomedia` file count under that name.
        files: number of files by extension, of `memery.imaging.exclusions.UNSUPPORTED_EXTENSIONS`.
    """

    folders: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skip:
    """A skipped file.

    Attributes:
        path: as in `FileEntry`.
        reason: one of `memery.errors.SKIP_REASONS`.
        detail: the message of the decoder or the operating system.
    """

    path: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """The contribution of one ranking to a hit.

    Attributes:
        name: "visual", "text" or "name".
        rank: rank of the image in that ranking, from 1.
        rrf_score: its part of the fused score (reciprocal rank fusion), which orders the hits.
        matched_terms: how many words of the query occur in the image's text or name; 0 for
            "visual".
    """

    name: str
    rank: int
    rrf_score: float
    matched_terms: int = 0


@dataclass(frozen=True, slots=True)
class Hit(os.PathLike[str]):
    """One result of a search. It is a path: `Image.open(hit)` works.

    Attributes:
        rank: from 1, the best.
        path: relative to the folder searched, with `/`.
        score: cosine of query and image, -1 to 1.
        image: metadata of the image; its path is relative to the archive's root.
        location: absolute path of the file.
        strength: score above the best score that the archive would reach by chance for this query.
            Unlike scores, strengths can be compared across queries and models.
        weak: the strength is low, and no word, name or exact copy matches the query. Always False
            if `Results.strong` is None.
        signals: the contribution of each ranking; empty for ranks that are not fused.
        copy_paths: paths of the exact copies folded into this hit: files with the same bytes that
            pass the filter, relative to the folder searched.
        collection: name of the folder if several are searched; else "".
        lines: recognised text, if several folders are searched and OCR has run; else None.
    """

    rank: int
    path: str
    score: float
    image: ImageFile
    location: str = field(repr=False)
    strength: float = 0.0
    weak: bool = False
    signals: tuple[Signal, ...] = ()
    copy_paths: tuple[str, ...] = ()
    collection: str = field(default="", repr=False)
    lines: tuple[Line, ...] | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """Opaque, unique per path and content."""
        return self.image.id

    @property
    def copies(self) -> int:
        """The number of exact copies in this hit, including itself."""
        return 1 + len(self.copy_paths)

    def __fspath__(self) -> str:
        return self.location


@dataclass(frozen=True, slots=True)
class Copy(os.PathLike[str]):
    """One of several near duplicates. It is a path: `Image.open(copy)` works.

    Attributes:
        path: relative to the folder searched, with `/`.
        image: metadata of the image; its path is relative to the archive's root.
        location: absolute path of the file.
        exact: it has the same bytes as the best copy, or is the best copy.
    """

    path: str
    image: ImageFile
    location: str = field(repr=False)
    exact: bool = False

    @property
    def id(self) -> str:
        """Opaque, unique per path and content."""
        return self.image.id

    def __fspath__(self) -> str:
        return self.location


@dataclass(frozen=True, slots=True)
class DuplicateGroup(Sequence[Copy]):
    """Near duplicates, the best copy first.

    Undamaged images come first, then those with the most pixels, the most bytes, files before
    symbolic links, and the oldest date. No two copies are the same file.

    Attributes:
        copies: two or more.
    """

    copies: tuple[Copy, ...]

    @property
    def best(self) -> Copy:
        """The copy to keep."""
        return self.copies[0]

    @property
    def others(self) -> tuple[Copy, ...]:
        """Every copy but the best."""
        return self.copies[1:]

    @overload
    def __getitem__(self, index: int) -> Copy: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Copy, ...]: ...
    def __getitem__(self, index: int | slice) -> Copy | tuple[Copy, ...]:
        return self.copies[index]

    def __len__(self) -> int:
        return len(self.copies)

    def __iter__(self) -> Iterator[Copy]:
        return iter(self.copies)


@dataclass(frozen=True, slots=True)
class Timings:
    """Wall-clock time of a search by stage, in milliseconds."""

    index: float = 0.0
    encode: float = 0.0
    search: float = 0.0

    @property
    def total(self) -> float:
        """The sum of the stages, milliseconds."""
        return self.index + self.encode + self.search


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of the indexing flow.

    Attributes:
        done: files processed, including skipped ones.
        total: files to process in this stage.
        skipped: files of `done` that were skipped.
        searchable: images of the folder that a search can find now.
        stage: "images" while images are encoded, "text" during OCR.
    """

    done: int
    total: int
    skipped: int
    searchable: int
    stage: str = "images"


ProgressCallback = Callable[[Progress], object]
"""A function that is called after each committed batch."""


@dataclass(frozen=True, slots=True)
class IndexReport:
    """The result of the indexing flow.

    Attributes:
        archive: the `.memery` folder.
        index: the folder of the search index.
        model_id: the embedding model.
        searchable: images of the folder that a search can find now.
        encoded: images encoded by the model.
        reused: images whose embedding was stored already, including `moved`.
        moved: images found under another path.
        unchanged: files that were not opened.
        removed: images removed from the archive because their file is gone.
        skips: files skipped in this run.
        excluded: folders of other programs, and files that memery cannot read.
        seconds: wall-clock time.
        read: images processed by OCR in this run.
        with_text: images of `read` that contain text.
        finding: seconds of text detection, summed over threads.
        recognising: seconds of text recognition, summed over threads.
    """

    archive: Path
    index: Path
    model_id: str
    searchable: int = 0
    encoded: int = 0
    reused: int = 0
    moved: int = 0
    unchanged: int = 0
    removed: int = 0
    skips: tuple[Skip, ...] = ()
    excluded: Excluded = field(default_factory=Excluded)
    seconds: float = 0.0
    read: int = 0
    with_text: int = 0
    finding: float = 0.0
    recognising: float = 0.0
