"""Deduplicator: finds the images that are one picture, and the best copy of each."""

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

_LONG, _FEWEST_WORDS, _SHARED = 3, 3, 0.5
"""Letters of a word that counts; such words in both of two pictures; of the fewer, those that must
be the same. Watermarks have fewer, and of the same text a reader gets most twice."""


class Deduplicator:
    """Groups by digest, and by likeness and embedding together.

    Args:
        archive: whose images to group.
        store: what knows them.
    """

    def __init__(self, archive: Archive, store: Store) -> None:
        self._root = os.fspath(archive.root)
        self._prefix = Filter(archive.scope).prefix
        self._store = store

    def group(self, space: Space, scope: Filter, *, exact_only: bool) -> tuple[DuplicateGroup, ...]:
        """Images with copies, a group each, ordered by the path of the best copy."""
        files: dict[str, list[ImageFile]] = defaultdict(list)
        with self._store.snapshot() as snapshot:
            for image in snapshot.browse(space, Browse(filter=scope)).images:
                files[image.digest].append(image)
            known = None if exact_only else snapshot.contents(space, files)
        joined = [] if known is None else _near(self._store, known)
        seen = {digest for digests in joined for digest in digests}
        joined += [[digest] for digest in files if digest not in seen]
        groups = [[image for d in digests for image in files.get(d, ())] for digests in joined]
        distinct = [self._distinct(images) for images in groups if len(images) > 1]
        made = [self._made(images) for images in distinct if len(images) > 1]
        return tuple(sorted(made, key=lambda group: os.fsencode(group.best.path)))

    def _distinct(self, images: Sequence[ImageFile]) -> list[ImageFile]:
        """Each file once, the best first: who deletes all but the first loses nothing.

        Several paths may lead to one file, and a file may be gone or changed since it was indexed.
        """
        files: dict[tuple[int, int], ImageFile] = {}
        for image in sorted(images, key=self._keep_priority):
            facts = stat_if_unchanged(self._location(image), image)
            if facts is not None:
                files.setdefault((facts.st_dev, facts.st_ino), image)
        return list(files.values())

    def _keep_priority(self, image: ImageFile) -> tuple[bool, int, int, bool, str, bytes]:
        """What is whole first, then most pixels, most bytes, what no link leads to, the oldest."""
        location = self._location(image)
        is_link = os.path.realpath(location) != location
        pixels = image.width * image.height
        rest = image.date, os.fsencode(image.path)
        return bool(image.damage), -pixels, -image.size, is_link, *rest

    def _made(self, images: Sequence[ImageFile]) -> DuplicateGroup:
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


def _near(store: Store, known: Contents) -> list[list[str]]:
    """Digests of contents that are one picture."""
    from memery.executors.deduplicator.candidate_pairs import find_candidate_pairs
    from memery.executors.deduplicator.verification import verify_pairs
    from memery.imaging.perceptual_hash import LIKENESS_BYTES, unpacked

    hashed = [row for row, packed in enumerate(known.hashes) if len(packed) == LIKENESS_BYTES]
    digests = [known.digests[row] for row in hashed]
    hashes, miniatures = unpacked([known.hashes[row] for row in hashed])
    words: dict[int, frozenset[str]] = {}

    def are_one(pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        same = verify_pairs(miniatures, pairs)
        with store.snapshot() as snapshot:
            for number, (one, two) in zip(same.nonzero()[0], pairs[same].tolist(), strict=True):
                for row in {one, two} - words.keys():
                    words[row] = _words(snapshot, digests[row])
                same[number] = not texts_differ(words[one], words[two])
        return same

    pairs = find_candidate_pairs(hashes, known.embeddings[hashed])
    return [
        [digests[row] for row in rows] for rows in group_by_center(pairs[are_one(pairs)], are_one)
    ]


def _words(snapshot: SearchSnapshot, digest: str) -> frozenset[str]:
    """The longer words in a picture, as far as they were read."""
    text = snapshot.text(digest)
    lines = text.lines if text else ()
    found = (word for line in lines for word in tokens(line.text))
    return frozenset(word for word in found if len(word) >= _LONG)


def texts_differ(one: Set[str], two: Set[str]) -> bool:
    """Whether two pictures hold words enough, and not the same: two memes of one template."""
    fewer = min(len(one), len(two))
    return fewer >= _FEWEST_WORDS and len(one & two) < _SHARED * fewer


def group_by_center(
    edges: NDArray[np.int64], are_one: Callable[[NDArray[np.int64]], NDArray[np.bool_]]
) -> list[list[int]]:
    """Rows in groups, each of which matches the middle of its group.

    Chains are cut: that one matches another, which matches a third, does not join them. A row
    whose partner went to another group is left alone.
    """
    import numpy as np

    found: list[list[int]] = []
    left = edges
    while len(left):
        parts = _components(left.tolist())
        degree = Counter(left.ravel().tolist())
        middles = {max(part, key=lambda row: (degree[row], -row)): part for part in parts}
        spokes = [(m, row) for m, part in middles.items() for row in part if row != m]
        tested = np.array(spokes, dtype=np.int64)
        good = tested[are_one(np.sort(tested, axis=1))]
        stars: dict[int, list[int]] = {middle: [middle] for middle in middles}
        for middle, row in good.tolist():
            stars[middle].append(row)
        found += [star for star in stars.values() if len(star) > 1]
        taken = [row for middle, star in stars.items() for row in {middle, *star}]
        left = left[~np.isin(left, taken).any(axis=1)]
    return found


def _components(edges: Iterable[Sequence[int]]) -> list[list[int]]:
    """Rows that are joined by edges, directly or not."""
    parent: dict[int, int] = {}

    def root(row: int) -> int:
        while (above := parent.setdefault(row, row)) != row:
            parent[row] = row = parent[above]
        return row

    for one, two in edges:
        parent[root(one)] = root(two)
    parts: dict[int, list[int]] = defaultdict(list)
    for row in list(parent):
        parts[root(row)].append(row)
    return list(parts.values())
