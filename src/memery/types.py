"""The values that cross memery's doors: frozen, slotted, with no behaviour but their own facts."""

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
    """What a directory entry says about a file, without opening it.

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
    """The facts about one indexed image.

    Attributes:
        path: as in `FileEntry`.
        size: bytes.
        mtime_ns: nanoseconds since the epoch.
        digest: SHA-256 of the content, 64 hexadecimal digits.
        width: pixels, upright.
        height: pixels, upright.
        format: what the content is, as Pillow names it ("JPEG", "PNG", …).
        taken_at: when it was taken, in ISO 8601, as its metadata or else its name says, or None.
        colour: average colour, 0xRRGGBB, or None where it is not known yet.
        date_source: where `date` comes from, one of `memery.imaging.dates.SOURCES`.
        damage: what is wrong with the file, of which a part was decoded; "" if nothing is.
        member: of several stores searched as one, the one that holds it; else "".
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
        """When it was taken, else when the file was changed: local time, ISO 8601."""
        modified = datetime.fromtimestamp(self.mtime_ns / _SECOND_NS)
        return self.taken_at or modified.isoformat()

    @property
    def id(self) -> str:
        """Opaque name of this content at this path: 32 hexadecimal digits."""
        return image_id(os.fsencode(self.path), bytes.fromhex(self.digest))


def image_id(path: bytes, digest: bytes) -> str:
    """The id of a content at a path."""
    return hashlib.blake2b(path + b"\0" + digest, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text in a picture.

    Attributes:
        text: what it says.
        confidence: of the reader, 0 to 1.
        box: left, top, right, bottom, as fractions of the picture's width and height.
    """

    text: str
    confidence: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Excluded:
    """What one scan left out.

    Attributes:
        folders: how many folders by name; those with a `.nomedia` file under that name.
        files: how many files by extension, of `memery.imaging.exclusions.UNREADABLE`.
    """

    folders: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skip:
    """A file that was left out, and why.

    Attributes:
        path: as in `FileEntry`.
        reason: one of `memery.errors.SKIP_REASONS`.
        detail: what the decoder or the system said.
    """

    path: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """What one ranking contributed to a hit.

    Attributes:
        name: "visual", "text" or "name".
        rank: of the image in that ranking, 1 for the best.
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
    """An image found. `Image.open(hit)` works, as with every path.

    Attributes:
        rank: 1 for the best.
        path: relative to the folder searched, with `/`.
        score: cosine of query and image, -1 to 1.
        image: the image's facts (its own path is relative to the archive's root).
        location: absolute path of the file.
        strength: how far the score stands above what the best of the archive's images would reach
            by chance for this query; it compares across queries and models, which the score does
            not.
        weak: it hardly stands out, and no word, name or exact copy matches the query either. Never
            where `Results.strong` is None.
        signals: what each ranking contributed; empty beyond the ranks that count.
        copy_paths: the exact copies that are folded into this hit: files with the same bytes that
            pass the filters, relative to the folder searched.
        collection: the name of the folder, where several are searched as one; else "".
        lines: the text in the image, where several folders are searched and it was recognised.
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
        """How many exact copies this hit stands for, itself included."""
        return 1 + len(self.copy_paths)

    def __fspath__(self) -> str:
        return self.location


@dataclass(frozen=True, slots=True)
class Copy(os.PathLike[str]):
    """One of several images that are one picture. `Image.open(copy)` works.

    Attributes:
        path: relative to the folder searched, with `/`.
        image: the image's facts (its own path is relative to the archive's root).
        location: absolute path of the file.
        exact: its bytes are those of the best copy, which may be itself.
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
    """Images that are one picture, the best copy first.

    The best is not damaged; of several such it has the most pixels, then the most bytes; then a
    file goes before a symbolic link, then the oldest date. No two copies are the same file.

    Attributes:
        copies: two or more.
    """

    copies: tuple[Copy, ...]

    @property
    def best(self) -> Copy:
        """The copy to keep, if one."""
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
        """The stages' sum, milliseconds."""
        return self.index + self.encode + self.search


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the indexing flow has come.

    Attributes:
        done: files dealt with, skipped ones included.
        total: files to deal with in this stage of the run.
        skipped: files of `done` that had to be skipped.
        searchable: images of the folder that a search finds now.
        stage: "images" while they are encoded, "text" while their text is read.
    """

    done: int
    total: int
    skipped: int
    searchable: int
    stage: str = "images"


ProgressCallback = Callable[[Progress], object]
"""What is called with the counts after each committed batch."""


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What the indexing flow did.

    Attributes:
        archive: the `.memery` folder.
        index: the folder of the search index in it.
        model_id: the model that encoded.
        searchable: images of the folder that a search finds now.
        encoded: images that went through the model.
        reused: images whose embedding was known by their digest (`moved` ones included).
        moved: images that were found again under another name.
        unchanged: files that were not opened.
        removed: images that left the archive because their file is gone.
        skips: files left out in this run, with reasons.
        excluded: folders of other programs, and files that memery cannot read.
        seconds: wall-clock time.
        read: images whose text was looked for in this run.
        with_text: those of them that hold any.
        finding: seconds of work spent on finding where text stands.
        recognising: seconds of work spent on saying what it is.
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
