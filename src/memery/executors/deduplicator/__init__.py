"""Deduplicator: groups near duplicates and selects the best copy of each group."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from typing import TYPE_CHECKING

from memery.archive import Archive
from memery.imaging.files import stat_if_unchanged
from memery.query.filters import Filter
from memery.query.text_search.tokens import tokens
from memery.stores.interface import SearchSnapshot, Store
from memery.stores.records import Browse, Contents, Space
from memery.types import Copy, DuplicateGroup, ImageFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WORD_LENGTH_MIN, _WORDS_MIN, _EQUAL_MIN = 3, 3, 0.5
"""Minimum length of a word, number of such words in both images, and share of equal words.

Watermarks have fewer words, and OCR recognises most words of the same text both times."""


class Deduplicator:
    """Groups images by digest, and by perceptual hash and embedding together.

    Args:
        archive: the archive whose images to group.
        store: its store.
    """

    def __init__(self, archive: Archive, store: Store) -> None:
        self._root = os.fspath(archive.root)
        self._prefix = Filter(archive.scope).prefix
        self._store = store

    def group(self, space: Space, scope: Filter, *, exact_only: bool) -> tuple[DuplicateGroup, ...]:
        """Group near duplicates, ordered by the path of the best copy.

        Args:
            space: the space of the embeddings.
            scope: the images to group.
            exact_only: group exact copies only.
        """
        files: dict[str, list[ImageFile]] = defaultdict(list)
        with self._store.snapshot() as snapshot:
            for image in snapshot.browse(space, Browse(filter=scope)).images:
                files[image.digest].append(image)
            contents = None if exact_only else snapshot.contents(space, files)
        digest_groups = [] if contents is None else _near_duplicates(self._store, contents)
        seen = {digest for digests in digest_groups for digest in digests}
        digest_groups += [[digest] for digest in files if digest not in seen]
        groups = [[img for d in digests for img in files.get(d, ())] for digests in digest_groups]
        distinct = [self._distinct(images) for images in groups if len(images) > 1]
        result = [self._group(images) for images in distinct if len(images) > 1]
        return tuple(sorted(result, key=lambda group: os.fsencode(group.best.path)))

    def _distinct(self, images: Sequence[ImageFile]) -> list[ImageFile]:
        """Distinct files, the best first, so that all but the first can be deleted safely.

        Several paths may lead to one file, and a file may have changed since it was indexed.
        """
        files: dict[tuple[int, int], ImageFile] = {}
        for image in sorted(images, key=self._keep_priority):
            stat = stat_if_unchanged(self._location(image), image)
            if stat is not None:
                files.setdefault((stat.st_dev, stat.st_ino), image)
        return list(files.values())

    def _keep_priority(self, image: ImageFile) -> tuple[bool, int, int, bool, str, bytes]:
        """Sort key: undamaged first, then most pixels, most bytes, no symbolic link, oldest."""
        location = self._location(image)
        is_link = os.path.realpath(location) != location
        pixels = image.width * image.height
        rest = image.date, os.fsencode(image.path)
        return bool(image.damage), -pixels, -image.size, is_link, *rest

    def _group(self, images: Sequence[ImageFile]) -> DuplicateGroup:
        best = images[0].digest
        return DuplicateGroup(
            tuple(
                Copy(
                    path=image.path.removeprefix(self._prefix),
                    image=image,
                    location=self._location(image),
                    exact=image.digest == best,
                )
                for image in images
            )
        )

    def _location(self, image: ImageFile) -> str:
        return f"{self._root}/{image.path}"


def _near_duplicates(store: Store, contents: Contents) -> list[list[str]]:
    """Group the digests of contents that are near duplicates."""
    from memery.executors.deduplicator.candidate_pairs import find_candidate_pairs
    from memery.executors.deduplicator.verification import verify_pairs
    from memery.imaging.perceptual_hash import DUPLICATE_SIGNATURE_BYTES, unpack_signatures

    hashed = [
        row
        for row, packed in enumerate(contents.hashes)
        if len(packed) == DUPLICATE_SIGNATURE_BYTES
    ]
    digests = [contents.digests[row] for row in hashed]
    hashes, miniatures = unpack_signatures([contents.hashes[row] for row in hashed])
    words: dict[int, frozenset[str]] = {}

    def are_duplicates(pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        same = verify_pairs(miniatures, pairs)
        with store.snapshot() as snapshot:
            for number, (one, two) in zip(same.nonzero()[0], pairs[same].tolist(), strict=True):
                for row in {one, two} - words.keys():
                    words[row] = _words(snapshot, digests[row])
                same[number] = not texts_differ(words[one], words[two])
        return same

    pairs = find_candidate_pairs(hashes, contents.embeddings[hashed])
    return [
        [digests[row] for row in rows]
        for rows in group_by_center(pairs[are_duplicates(pairs)], are_duplicates)
    ]


def _words(snapshot: SearchSnapshot, digest: str) -> frozenset[str]:
    """The longer words that OCR recognised in an image."""
    text = snapshot.text(digest)
    lines = text.lines if text else ()
    found = (word for line in lines for word in tokens(line.text))
    return frozenset(word for word in found if len(word) >= _WORD_LENGTH_MIN)


def texts_differ(one: Set[str], two: Set[str]) -> bool:
    """Whether two images contain different texts, such as two memes of one template."""
    fewer = min(len(one), len(two))
    return fewer >= _WORDS_MIN and len(one & two) < _EQUAL_MIN * fewer


def group_by_center(
    edges: NDArray[np.int64], are_duplicates: Callable[[NDArray[np.int64]], NDArray[np.bool_]]
) -> list[list[int]]:
    """Group rows such that each row matches the center of its group.

    A chain of matches does not make a group: in a–b–c, c joins a only if they match. A row whose
    match is in another group stays ungrouped.

    Args:
        edges: pairs of matching rows, shape (m, 2).
        are_duplicates: verifies pairs of rows, shape (m, 2): bool of shape (m,).
    """
    import numpy as np

    found: list[list[int]] = []
    remaining = edges
    while len(remaining):
        components = _components(remaining.tolist())
        degree = Counter(remaining.ravel().tolist())
        centers = {max(rows, key=lambda row: (degree[row], -row)): rows for rows in components}
        spokes = [(c, row) for c, rows in centers.items() for row in rows if row != c]
        tested = np.array(spokes, dtype=np.int64)
        matching = tested[are_duplicates(np.sort(tested, axis=1))]
        groups: dict[int, list[int]] = {center: [center] for center in centers}
        for center, row in matching.tolist():
            groups[center].append(row)
        found += [group for group in groups.values() if len(group) > 1]
        used = [row for group in groups.values() for row in group]
        remaining = remaining[~np.isin(remaining, used).any(axis=1)]
    return found


def _components(edges: Iterable[Sequence[int]]) -> list[list[int]]:
    """Connected components."""
    parent: dict[int, int] = {}

    def root(row: int) -> int:
        while (higher := parent.setdefault(row, row)) != row:
            parent[row] = row = parent[higher]
        return row

    for one, two in edges:
        parent[root(one)] = root(two)
    components: dict[int, list[int]] = defaultdict(list)
    for row in list(parent):
        components[root(row)].append(row)
    return list(components.values())
