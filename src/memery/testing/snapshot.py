"""Snapshots of the in-memory store: the reference semantics of all reads, in plain Python."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from memery.errors import RETRIED_REASONS
from memery.imaging.dates import date_in_name
from memery.query.filters import Filter
from memery.query.text_search.names import all_name_words, matches_name, name_words
from memery.query.text_search.splitting import split_text
from memery.query.text_search.tokens import split_cjk, strip_apostrophes, tokens
from memery.stores.derived import cosines
from memery.stores.records import (
    Browse,
    Content,
    Contents,
    Facet,
    Groups,
    Listing,
    Match,
    Nearest,
    RecognizedText,
    SkipRecord,
    Space,
    SpaceInfo,
    Stamp,
    StoredDigests,
    StoreState,
    TextSearch,
    VectorSearch,
)
from memery.types import FileEntry, ImageFile, Skip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class State:
    """The state of a `MemoryStore`.

    Attributes:
        version: number of commits.
        settings: settings by name.
        active: the active space.
        files: by path, the file, its digest or None, and its skip or None.
        contents: by space and digest; oldest space first.
        texts: recognised texts by digest.
    """

    version: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    active: Space | None = None
    files: Mapping[str, tuple[FileEntry, str | None, SkipRecord | None]] = field(
        default_factory=dict
    )
    contents: Mapping[Space, Mapping[str, Content]] = field(default_factory=dict)
    texts: Mapping[str, RecognizedText] = field(default_factory=dict)


class MemorySnapshot:
    """Reads a state by iterating over all images.

    Args:
        state: the state to read.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    # Indexing

    def state(self) -> StoreState:
        """Read version, spaces and settings."""
        state = self._state
        spaces = (
            SpaceInfo(space, len(contents), space == state.active)
            for space, contents in state.contents.items()
        )
        return StoreState(state.version, tuple(spaces), state.settings)

    def scan_state(
        self, space: Space, filter: Filter, decoder_fingerprint: str
    ) -> dict[str, Stamp | None]:
        """Map each stored path to the stamp of its file, if up to date."""
        known = self._state.contents.get(space, {})
        stamps: dict[str, Stamp | None] = {}
        for path, (entry, digest, skipped) in self._state.files.items():
            if not path.startswith(filter.prefix):
                continue
            if skipped is None:
                is_current = digest in known
            else:
                same = skipped.decoder_fingerprint == decoder_fingerprint
                is_current = same and skipped.skip.reason not in RETRIED_REASONS
            stamps[path] = (entry.size, entry.mtime_ns) if is_current else None
        return stamps

    def digests(self, space: Space) -> StoredDigests:
        """List the stored digests; none is outdated or undated in this store."""
        return StoredDigests(set(self._state.contents.get(space, {})), set(), set())

    def skips(self, filter: Filter) -> Sequence[Skip]:
        """List skipped files, by path."""
        found = [skipped.skip for _, _, skipped in self._state.files.values() if skipped]
        within = [skip for skip in found if skip.path.startswith(filter.prefix)]
        return sorted(within, key=lambda skip: os.fsencode(skip.path))

    def pending_ocr(
        self, filter: Filter, *, everything: bool = False
    ) -> Sequence[tuple[FileEntry, str]]:
        """List one file and the digest of each content without OCR, newest first."""
        files = {
            digest: (entry, digest)
            for path, (entry, digest, _) in self._state.files.items()
            if digest
            and (everything or digest not in self._state.texts)
            and path.startswith(filter.prefix)
        }
        return sorted(files.values(), key=lambda pair: -pair[0].mtime_ns)

    # Images

    def browse(self, space: Space, request: Browse) -> Listing:
        """List images of a space."""
        images = self._listed(space, request.filter, fold=request.fold)
        if request.order == "date":
            images.sort(key=lambda image: image.date, reverse=True)
        return Listing(images[request.offset :][: request.limit], len(images))

    def lookup(
        self, space: Space, filter: Filter, *, ids: Sequence[str] = (), digests: Sequence[str] = ()
    ) -> Sequence[ImageFile]:
        """Images of a space that pass a filter and have one of the ids or contents, by path."""
        images = self._listed(space, filter, fold=False)
        return [image for image in images if image.digest in digests or image.id in ids]

    def count_by(
        self, space: Space, filter: Filter, by: Facet, *, fold: bool = False
    ) -> dict[str, int]:
        """Count the images of a space that pass a filter."""
        if by in ("folder", "type"):
            # Copies in several folders count in each folder.
            images = self._listed(space, filter, fold=False)
            pairs = {
                (name, image.digest if fold else image.path)
                for image in images
                for name in self._kinds(image, by)
            }
            counts = Counter(name for name, _ in pairs)
            return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
        images = self._listed(space, filter, fold=fold)
        counts = Counter(name for image in images for name in self._kinds(image, by))
        return dict(sorted(counts.items(), reverse=True))

    def _kinds(self, image: ImageFile, by: Facet) -> list[str]:
        path, text = PurePosixPath(image.path), self._state.texts.get(image.digest)
        match by:
            case "folder":
                return [str(folder).removeprefix(".") for folder in path.parents]
            case "type":
                return [path.suffix[1:].lower()]
            case "month":
                return [image.date[:7]]
            case "date_source":
                return [image.date_source]
            case "ocr_engine":
                return [text.engine] if text else []

    def _listed(self, space: Space, filter: Filter, *, fold: bool) -> list[ImageFile]:
        """Images that pass a filter, by path; with `fold`, the first of each content."""
        images = [image for image, _ in self._images(space, filter)]
        images.sort(key=_path)
        first: dict[str, ImageFile] = {}
        for image in images:
            first.setdefault(image.digest, image)
        return list(first.values()) if fold else images

    def _images(self, space: Space, filter: Filter) -> Iterator[tuple[ImageFile, Content]]:
        known = self._state.contents.get(space, {})
        for path, (entry, digest, _) in self._state.files.items():
            if digest is None or digest not in known:
                continue
            content = known[digest]
            taken = content.taken_at or date_in_name(PurePosixPath(path).name)
            source = content.date_source or "exif" if content.taken_at else "name"
            image = ImageFile(
                path,
                entry.size,
                entry.mtime_ns,
                digest,
                content.width,
                content.height,
                content.format,
                taken,
                content.colour,
                source if taken else "file",
                content.damage,
            )
            if self._passes(image, content, filter):
                yield image, content

    def _passes(self, image: ImageFile, content: Content, filter: Filter) -> bool:
        width, height, widest, highest = filter.sides
        date = datetime.fromtimestamp(image.mtime_ns / 1e9)
        if image.taken_at is not None:
            date = datetime.fromisoformat(image.taken_at)
        name = os.fsencode(image.path).lower()
        shape = ("landscape", "portrait", "square")[
            (image.width < image.height) + 2 * (image.width == image.height)
        ]
        text = self._state.texts.get(image.digest)
        written = [" ".join(words) for words in self._written(image, content)]
        quoted = [(_cut(phrase), _cut(strip_apostrophes(phrase))) for phrase in filter.quoted]
        return (
            image.path.startswith(filter.prefix)
            and not any(image.path.startswith(f"{folder}/") for folder in filter.not_under)
            and (filter.earliest is None or date >= filter.earliest)
            and (filter.latest is None or date <= filter.latest)
            and (not filter.ext or any(name.endswith(f".{e}".encode()) for e in filter.ext))
            and not any(name.endswith(f".{e}".encode()) for e in filter.not_ext)
            and filter.orientation in ("", shape)
            and filter.not_orientation != shape
            and width <= image.width <= widest
            and height <= image.height <= highest
            and (
                filter.has_text is None
                or (text is not None and filter.has_text == bool(text.lines))
            )
            and all(any(f" {q} " in f" {w} " for w in written for q in either) for either in quoted)
            and filter.not_digest != image.digest
        )

    # Vectors

    def search(self, space: Space, request: VectorSearch) -> Nearest:
        """Find the images nearest to a vector."""
        images = self._listed(space, request.filter, fold=request.fold)
        found = self.contents(space, {image.digest for image in images})
        scores = dict(
            zip(found.digests, cosines(found.embeddings, request.vector).tolist(), strict=True)
        )
        pairs = [(image, scores[image.digest]) for image in images]
        pairs.sort(key=lambda pair: (-pair[1], _path(pair[0])))
        least = request.min_score
        above = None if least is None else sum(score >= least for _, score in pairs)
        return Nearest(pairs[: request.limit], len(pairs), above)

    def score_sample(self, space: Space, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the cosines of a unit vector with every embedding of the space."""
        import numpy as np

        found = self.contents(space, self._state.contents.get(space, {}))
        return cosines(found.embeddings, vector).astype(np.float32)

    def contents(self, space: Space, digests: Collection[str]) -> Contents:
        """Read those of the given contents that have an embedding in the space."""
        import numpy as np

        known = self._state.contents.get(space, {})
        found = sorted(known.keys() & set(digests))
        embeddings = np.zeros((len(found), space.dim), dtype=np.float16)
        for row, digest in enumerate(found):
            embeddings[row] = known[digest].embedding
        return Contents(found, embeddings, [known[digest].hashes for digest in found])

    # Text

    def text(self, digest: str) -> RecognizedText | None:
        """Read the text recognised in a content, or None."""
        return self._state.texts.get(digest)

    def search_text(self, space: Space, request: TextSearch) -> Sequence[Match]:
        """Find images whose text contains any of the terms, those with more of them first."""
        found = []
        for image, content in self._images(space, request.filter):
            raw, split, *_ = self._written(image, content)
            matched, more = (
                sum(_holds(group, raw) or _holds(group, split) for group in groups)
                for groups in (request.terms, request.optional_terms)
            )
            if matched:
                match = Match(image, matched, more / max(len(request.optional_terms), 1))
                found.append((-matched - more, _path(image), match))
        return [match for _, _, match in sorted(found, key=lambda row: row[:2])][: request.limit]

    def search_names(self, space: Space, terms: Groups, filter: Filter) -> Sequence[ImageFile]:
        """Find images whose name and metadata together contain all of the terms."""
        found = []
        for image, content in self._images(space, filter):
            *_, named, whole, noted = self._written(image, content)
            numbers = [group for group in terms if all(p[0].isdecimal() for p in group)]
            others = [group for group in terms if group not in numbers] or numbers
            if (
                terms
                and all(_holds(group, named) or _holds(group, noted) for group in others)
                and all(_holds(group, whole) or _holds(group, noted) for group in terms)
            ):
                found.append(image)
        return sorted(found, key=_path)

    def search_paths(self, space: Space, name: str, filter: Filter) -> Sequence[ImageFile]:
        """Find images by file name, then by folder name."""
        images = self._listed(space, filter, fold=False)
        files = [image for image in images if matches_name(image.path, name)]
        inside = [
            image
            for image in images
            if image not in files
            and any(
                matches_name(str(folder), name, folder=True)
                for folder in PurePosixPath(image.path).parents
            )
        ]
        return [*files, *inside]

    def vocabulary(self, tokens: Collection[str]) -> set[str]:
        """Select the tokens that occur in the text of any image."""
        lines = [line.text for text in self._state.texts.values() for line in text.lines]
        return {token for line in lines for token in _line_tokens(line)} & set(tokens)

    def _written(self, image: ImageFile, content: Content) -> list[list[str]]:
        """Token lists: recognised text, the same split, name words, all of the name, metadata."""
        text = self._state.texts.get(image.digest)
        raw = "\n".join(line.text for line in text.lines) if text else ""
        named, whole = name_words(image.path), all_name_words(image.path)
        noted = tokens(split_cjk(strip_apostrophes(content.notes)))
        return [tokens(raw), split_text(raw).split(), named, whole, noted]


def _path(image: ImageFile) -> bytes:
    return os.fsencode(image.path)


def _line_tokens(line: str) -> list[str]:
    return [*tokens(line), *split_text(line).split()]


def _cut(phrase: str) -> str:
    return " ".join(tokens(split_cjk(phrase)))


def _holds(group: Sequence[tuple[str, ...]], words: Sequence[str]) -> bool:
    return any(f" {' '.join(phrase)} " in f" {' '.join(words)} " for phrase in group)
