"""What `memery.stores.interface` promises, as tests that any store can be held to.

    from contract import StoreContract

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            with contextlib.closing(MyStore(tmp_path)) as store:
                yield store

The fixture opens a store that is empty. `SearchContract` has what is promised of anything that can
be searched: a subclass of it says in `searched` what to search once a store is filled.
"""

import contextlib
import hashlib
import os
import threading
from dataclasses import replace

import numpy as np
import pytest

from memery.errors import ArchiveLocked
from memery.query.filters import Filter
from memery.query.text_search.tokens import content_words
from memery.stores.derived import (
    content_key,
    count,
    count_dates,
    count_texts,
    damaged_images,
    embedding_of,
    exact_copies,
    facets,
    image_by_id,
    scores_of,
)
from memery.stores.records import (
    Browse,
    Content,
    IndexRecord,
    RecognizedText,
    SkipRecord,
    Space,
    StoreState,
    TextSearch,
    VectorSearch,
)
from memery.types import FileEntry, Line, Skip, image_id

DIM = 8
SPACE = Space("model", "f1", DIM)
OTHER = Space("other", "f2", 4)
SMALL = np.array([0, 1, 0, 0], dtype=np.float32)
"""An embedding of the other space."""
EVERYWHERE = Filter()
NOON = 1_682_942_400
"""2023-05-01, noon in London, in seconds since the epoch."""


def unit(*numbers):
    """A unit vector of the space."""
    vector = np.zeros(DIM, dtype=np.float32)
    vector[: len(numbers)] = numbers
    return vector / np.linalg.norm(vector)


def digest_of(key):
    """A digest, the same for the same key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def record(path, embedding=None, key=None, *, mtime=0, **facts):
    """An image to commit; without an embedding, one whose content is known already."""
    content = None
    if embedding is not None:
        facts = {"width": 4, "height": 3, "format": "PNG", "taken_at": None, **facts}
        content = Content(embedding=embedding, **facts)
    return IndexRecord(FileEntry(path, 100, mtime * 10**9 + 5), digest_of(key or path), content)


def skipped(path, reason="truncated", decoder_fingerprint="now"):
    """A skipped file to commit."""
    return SkipRecord(FileEntry(path, 7, 8), Skip(path, reason, "why"), decoder_fingerprint)


def text_of(image, *lines):
    """The text recognised in an image."""
    boxed = tuple(Line(text, 0.9, (0, 0, 1, 1)) for text in lines)
    return RecognizedText(image.digest, "tests 1", boxed)


def terms(*texts):
    """The terms of a query."""
    return [[phrase] for text in texts for phrase in content_words(text)]


def nearest_to(vector, limit=10, filter=EVERYWHERE, **options):
    """A search by a vector."""
    return VectorSearch(vector=vector, filter=filter, limit=limit, **options)


def commit(store, *records, skips=(), space=SPACE, texts=()):
    """Store images, skipped files and texts."""
    with store.writing() as writer:
        writer.commit(space, records, skips)
        if texts:
            writer.commit_texts(texts)


def remove(store, *paths):
    """Remove files; the digests of those that had a content."""
    with store.writing() as writer:
        return writer.remove(paths)


def names(images):
    """The paths of images without the member that holds them."""
    return [image.path.removeprefix(f"{image.member}/") for image in images]


class SearchContract:
    """What anything that can be searched has to do."""

    def searched(self, store):
        """What is searched once the store is filled."""
        return store

    @contextlib.contextmanager
    def reading(self, store):
        """A snapshot of what is searched."""
        with self.searched(store).snapshot() as snapshot:
            yield snapshot

    def found(self, store, vector, limit=10, filter=EVERYWHERE):
        """The paths of the nearest images."""
        with self.reading(store) as snapshot:
            nearest = snapshot.search(SPACE, nearest_to(vector, limit, filter))
        return names(image for image, _ in nearest.ranked)

    def matched(self, store, *texts, filter=EVERYWHERE, limit=None):
        """The paths of the images whose text contains terms, with the number of terms."""
        with self.reading(store) as snapshot:
            request = TextSearch(terms=terms(*texts), filter=filter, limit=limit)
            matches = snapshot.search_text(SPACE, request)
        paths = names(match.image for match in matches)
        return dict(zip(paths, (match.matched_terms for match in matches), strict=True))

    # Vectors

    def test_finds_nothing_in_an_empty_store(self, store):
        assert self.found(store, unit(1)) == []
        with self.reading(store) as snapshot:
            assert count(snapshot, SPACE, EVERYWHERE) == 0
            assert embedding_of(snapshot, SPACE, "00" * 32) is None
            assert snapshot.score_sample(SPACE, unit(1)).size == 0
            assert snapshot.browse(SPACE, Browse(filter=EVERYWHERE)).images == []
            assert snapshot.vocabulary(["word"]) == set()

    def test_finds_what_was_committed(self, store):
        dated = record("a/b.png", unit(1), taken_at="2023-05-01T10:00:00", colour=0x00FF7F)
        commit(store, dated, record("c.png", unit(0, 1)))
        with self.reading(store) as snapshot:
            nearest = snapshot.search(SPACE, nearest_to(unit(1), 1))
            stored = embedding_of(snapshot, SPACE, dated.digest)
        ((image, score),) = nearest.ranked
        assert (nearest.total, nearest.above) == (2, None)
        assert (*names([image]), image.size, image.mtime_ns) == ("a/b.png", 100, 5)
        assert (image.width, image.height, image.format) == (4, 3, "PNG")
        assert (image.taken_at, image.colour) == ("2023-05-01T10:00:00", 0x00FF7F)
        assert score == pytest.approx(1)
        np.testing.assert_allclose(stored, unit(1), atol=1e-3)

    def test_reads_one_state_inside_a_snapshot(self, store):
        commit(store, record("a.png", unit(1)))
        with self.reading(store) as snapshot:
            assert self.found(store, unit(1)) == ["a.png"]
            writer = threading.Thread(target=commit, args=(store, record("b.png", unit(1))))
            writer.start()
            writer.join(0.1)  # it may have to wait until the snapshot ends
            assert self.found(store, unit(1)) == ["a.png"]  # a snapshot inside of the snapshot
            assert count(snapshot, SPACE, EVERYWHERE) == 1
        writer.join()
        assert self.found(store, unit(1)) == ["a.png", "b.png"]

    def test_orders_equal_scores_by_the_bytes_of_paths(self, store):
        paths = ["b.png", "a.png", "a/z.png", "\udcff.png", "é.png", "B.png"]
        commit(store, *(record(path, unit(1), "same") for path in paths[:3]))
        commit(store, *(record(path, unit(1)) for path in paths[3:]))
        expected = sorted(paths, key=os.fsencode)
        assert self.found(store, unit(1)) == expected
        assert self.found(store, unit(1), limit=4) == expected[:4]

    def test_filters_by_folder_and_not_by_prefix(self, store):
        commit(store, *(record(path, unit(1)) for path in ("a/x", "ab/x", "a", "a/b/y")))
        assert self.found(store, unit(1), filter=Filter("a")) == ["a/b/y", "a/x"]
        with self.reading(store) as snapshot:
            assert count(snapshot, SPACE, Filter("a")) == 2

    @pytest.mark.parametrize(
        ("filter", "expected"),
        [
            (Filter(not_under="a"), "b.jpg c.JPEG d.png"),
            (Filter(not_under=("a", "x")), "b.jpg c.JPEG d.png"),
            (Filter(ext="jpg"), "a/1.jpg b.jpg"),
            (Filter(ext=("jpg", ".jpeg")), "a/1.jpg b.jpg c.JPEG"),
            (Filter(not_ext=("JPG",)), "c.JPEG d.png"),
            (Filter(since="2023"), "a/1.jpg b.jpg c.JPEG"),
            (Filter(since="2023-05-02"), "b.jpg"),
            (Filter(until="2022"), "d.png"),
            (Filter(since="2023-05", until="2023-05-01"), "a/1.jpg c.JPEG"),
            (Filter(since="2023-05-01T10:00:01", until="2023-05-01"), "c.JPEG"),
            (Filter(orientation="landscape"), "a/1.jpg"),
            (Filter(orientation="portrait"), "b.jpg"),
            (Filter(orientation="square"), "c.JPEG d.png"),
            (Filter(not_orientation="square"), "a/1.jpg b.jpg"),
            (Filter(min_size="400x100"), "a/1.jpg c.JPEG"),
            (Filter(max_size="400x300"), "a/1.jpg b.jpg d.png"),
            (Filter(min_size=(401, 0)), "c.JPEG"),
            (Filter(has_text=True), "b.jpg"),
            (Filter(has_text=False), "c.JPEG"),
            (Filter(quoted=("second line",)), "b.jpg"),
            (Filter(quoted=("line second",)), ""),
            (Filter(quoted=("mountain LAKE",)), "d.png"),
            (Filter(quoted=('" OR "x',)), ""),
            (Filter(under="a", ext="png"), ""),
        ],
    )
    def test_applies_every_condition_of_a_filter(self, store, filter, expected):
        images = [
            record("a/1.jpg", unit(1), width=400, height=300, taken_at="2023-05-01T10:00:00"),
            record("b.jpg", unit(1), width=100, height=300, taken_at="2023-06-01T10:00:00"),
            record("c.JPEG", unit(1), width=600, height=600, mtime=NOON),
            record("d.png", unit(1), width=4, height=4, notes="Mountain lake; Norway"),
        ]
        texts = [text_of(images[1], "A first", "SECOND LINE"), text_of(images[2])]
        commit(store, *images, texts=texts)
        assert self.found(store, unit(1), filter=filter) == expected.split()
        assert self.found(store, unit(1), limit=1, filter=filter) == expected.split()[:1]
        with self.reading(store) as snapshot:
            assert count(snapshot, SPACE, filter) == len(expected.split())

    def test_leaves_out_a_content_by_its_digest(self, store):
        commit(store, record("a.png", unit(1), "k"), record("b.png", None, "k"))
        commit(store, record("c.png", unit(1)))
        assert self.found(store, unit(1), filter=Filter(not_digest=digest_of("k"))) == ["c.png"]

    @pytest.mark.parametrize("limit", [1, 3, 5, 100])
    def test_counts_images_above_a_score_whatever_the_limit(self, store, limit):
        commit(store, *(record(f"{n}.png", unit(1, n)) for n in range(5)))
        commit(store, record("copy.png", None, "1.png"))
        with self.reading(store) as snapshot:
            for fold, expected in ((False, 3), (True, 2)):
                request = nearest_to(unit(1), limit, fold=fold, min_score=0.5)
                assert snapshot.search(SPACE, request).above == expected
            for within, expected in ((Filter(not_ext="png"), 0), (EVERYWHERE, 6)):
                request = nearest_to(unit(1), limit, within, min_score=-1)
                assert snapshot.search(SPACE, request).above == expected

    def test_scores_single_contents_and_a_sample(self, store):
        commit(store, record("a.png", unit(1)), record("b.png", unit(0, 1)))
        digests = [digest_of(path) for path in ("a.png", "b.png", "never.png")]
        with self.reading(store) as snapshot:
            scores = scores_of(snapshot, SPACE, unit(1), digests)
            assert scores == {digests[0]: pytest.approx(1), digests[1]: pytest.approx(0)}
            sample = snapshot.score_sample(SPACE, unit(1))
            np.testing.assert_allclose(sorted(sample), [0, 1], atol=1e-6)
            assert snapshot.score_sample(OTHER, SMALL).size == 0

    def test_gives_contents_by_ascending_digest(self, store):
        commit(store, record("a", unit(1), hashes=b"1"), record("b", unit(0, 1), hashes=b"2"))
        commit(store, record("copy", None, "a"))
        digests = [digest_of("b"), digest_of("a"), "99" * 32]
        with self.reading(store) as snapshot:
            found = snapshot.contents(SPACE, digests)
            assert list(found.digests) == sorted(digests[:2])
            expected = {digest_of("a"): (b"1", unit(1)), digest_of("b"): (b"2", unit(0, 1))}
            assert list(found.hashes) == [expected[digest][0] for digest in found.digests]
            rows = [expected[digest][1] for digest in found.digests]
            np.testing.assert_allclose(found.embeddings, rows, atol=1e-3)
            assert found.embeddings.dtype == np.float16
            assert snapshot.contents(OTHER, digests).embeddings.shape == (0, OTHER.dim)

    # Images

    def test_looks_images_up_by_id(self, store):
        commit(store, *BROWSED)
        with self.reading(store) as snapshot:
            images = snapshot.browse(SPACE, Browse(filter=EVERYWHERE)).images
            assert names(images) == sorted(PATHS, key=os.fsencode)
            ids = [
                image_id(os.fsencode(path), bytes.fromhex(image.digest))
                for path, image in zip(names(images), images, strict=True)
            ]
            assert len(set(ids)) == len(PATHS)  # a copy has a different id
            for id_, image in zip(ids, images, strict=True):
                assert image_by_id(snapshot, SPACE, EVERYWHERE, id_) == image
                assert image_by_id(snapshot, SPACE, Filter("nowhere"), id_) is None
                assert image_by_id(snapshot, OTHER, EVERYWHERE, id_) is None
            for id_ in ("", "0" * 32, "0" * 31, "G" * 32, ids[0].upper(), f"{ids[0]}\n", "\udcff"):
                assert image_by_id(snapshot, SPACE, EVERYWHERE, id_) is None
            assert list(snapshot.lookup(SPACE, EVERYWHERE, ids=ids)) == list(images)

    def test_changes_the_id_with_the_content(self, store):
        path = os.fsencode("a.png")
        commit(store, record("a.png", unit(1), "one"))
        commit(store, record("a.png", unit(1), "two"))
        before, now = (image_id(path, bytes.fromhex(digest_of(k))) for k in ("one", "two"))
        with self.reading(store) as snapshot:
            assert image_by_id(snapshot, SPACE, EVERYWHERE, before) is None
            assert image_by_id(snapshot, SPACE, EVERYWHERE, now).digest == digest_of("two")
        remove(store, "a.png")
        with self.reading(store) as snapshot:
            assert image_by_id(snapshot, SPACE, EVERYWHERE, now) is None

    @pytest.mark.parametrize(("order", "first"), [("date", "trip/far/c.png"), ("name", "a.png")])
    def test_lists_pages_in_order(self, store, order, first):
        commit(store, *BROWSED)
        with self.reading(store) as snapshot:
            everything = Browse(filter=EVERYWHERE, order=order)
            whole = snapshot.browse(SPACE, everything)
            assert (whole.total, names(whole.images)[0]) == (5, first)
            pages = [
                snapshot.browse(SPACE, replace(everything, limit=2, offset=start))
                for start in (0, 2, 4, 6)
            ]
            assert [image for page in pages for image in page.images] == list(whole.images)
            nothing = snapshot.browse(SPACE, replace(everything, limit=0))
            assert (list(nothing.images), nothing.total) == ([], 5)
            newest = Browse(filter=Filter("trip", ext="png"), order="date", limit=1)
            trip = snapshot.browse(SPACE, newest)
            assert (trip.total, names(trip.images)) == (2, ["trip/far/c.png"])
            assert snapshot.browse(OTHER, everything).total == 0

    def test_folds_exact_copies(self, store):
        commit(store, *BROWSED)
        with self.reading(store) as snapshot:
            for order in ("date", "name"):
                everything = Browse(filter=EVERYWHERE, order=order)
                folded = replace(everything, fold=True)
                whole = snapshot.browse(SPACE, folded)
                assert whole.total == len(whole.images) == 4
                unfolded = names(snapshot.browse(SPACE, everything).images)
                assert names(whole.images) == [p for p in unfolded if p != "trip/far/copy.png"]
                pages = [
                    snapshot.browse(SPACE, replace(folded, limit=2, offset=n)) for n in (0, 2, 4)
                ]
                assert [i for page in pages for i in page.images] == list(whole.images)
            for filter, total in ((EVERYWHERE, 4), (Filter("trip/far"), 1), (Filter(ext="png"), 2)):
                request = nearest_to(unit(0, 0, 0, 1), filter=filter, fold=True)
                nearest = snapshot.search(SPACE, request)
                assert nearest.total == len(nearest.ranked) == total
                assert names([nearest.ranked[0][0]]) == ["trip/far/c.png"]
        remove(store, "trip/far/c.png")
        with self.reading(store) as snapshot:
            assert snapshot.browse(SPACE, Browse(filter=EVERYWHERE, fold=True)).total == 4

    def test_finds_exact_copies(self, store):
        commit(store, *BROWSED)
        with self.reading(store) as snapshot:
            images = snapshot.browse(SPACE, Browse(filter=EVERYWHERE)).images
            by_path = dict(zip(names(images), images, strict=True))
            one, first, copy = (
                by_path[p] for p in ("a.png", "trip/far/c.png", "trip/far/copy.png")
            )
            copies = exact_copies(snapshot, SPACE, [copy, one, first], EVERYWHERE)
            assert copies == [[first.path], [], [copy.path]]
            assert exact_copies(snapshot, SPACE, [first], Filter("odd\udcff")) == [[]]
            assert content_key(first) == content_key(copy) != content_key(one)

    def test_counts_images_by_kind(self, store):
        commit(store, *BROWSED)
        with self.reading(store) as snapshot:
            found = facets(snapshot, SPACE, EVERYWHERE)
            assert found.folders == {"": 5, "odd\udcff": 1, "trip": 3, "trip/far": 2}
            assert list(found.months) == sorted(found.months, reverse=True)
            assert found.months["2023-05"] == 3
            assert list(found.types.items()) == [("png", 3), ("", 1), ("jpg", 1)]
            narrowed = facets(snapshot, SPACE, Filter("trip/far"))
            assert narrowed.folders == {"": 2, "trip": 2, "trip/far": 2}
            assert facets(snapshot, OTHER, EVERYWHERE).types == {}
            folded = facets(snapshot, SPACE, EVERYWHERE, fold=True)
            assert folded.folders == {"": 4, "odd\udcff": 1, "trip": 2, "trip/far": 1}
            assert folded.months["2023-05"] == 2
            assert list(folded.types.items()) == [("png", 2), ("", 1), ("jpg", 1)]

    def test_counts_by_kind_what_filters_find(self, store):
        commit(store, *BROWSED)
        with self.reading(store) as snapshot:
            found = facets(snapshot, SPACE, EVERYWHERE)
            for folder, images in found.folders.items():
                assert count(snapshot, SPACE, Filter(folder)) == images
            for month, images in found.months.items():
                assert count(snapshot, SPACE, Filter(since=month, until=month)) == images

    def test_counts_dates_by_source_and_lists_damage(self, store):
        metadata = record("a.png", unit(1), taken_at="2023-05-01T10:00:00", date_source="xmp")
        name = "IMG_20150614_123000.png"
        commit(store, metadata, record(name, unit(1), damage="cut off"), record("b.png", unit(1)))
        with self.reading(store) as snapshot:
            assert count_dates(snapshot, SPACE, EVERYWHERE) == {"xmp": 1, "name": 1, "file": 1}
            damaged = damaged_images(snapshot, SPACE, EVERYWHERE)
        assert [(*names([i]), i.damage) for i in damaged] == [
            ("IMG_20150614_123000.png", "cut off")
        ]

    # Text

    def test_finds_recognized_text(self, store):
        images = [
            record("old.png", unit(1)),
            record("new.png", unit(1)),
            record("none.png", unit(1)),
        ]
        first = text_of(images[0], "WHENYOU SEE IT", "birthday")
        unknown = RecognizedText("77" * 32, "tests 1")
        commit(store, *images, record("copy.png", None, "old.png"))
        commit(store, texts=[first, text_of(images[2]), unknown])
        assert self.matched(store, "birthday see nothing") == {"copy.png": 2, "old.png": 2}
        assert self.matched(store, "see", filter=Filter(not_ext="png")) == {}
        assert self.matched(store, "birthday", limit=1) == {"copy.png": 1}
        with self.reading(store) as snapshot:
            assert snapshot.text(images[0].digest) == first
            assert snapshot.text(images[1].digest) is None
            assert snapshot.text("77" * 32) is None
            request = TextSearch(terms=terms("birthday"), filter=EVERYWHERE)
            assert list(snapshot.search_text(OTHER, request)) == []
            known = snapshot.vocabulary(["whenyou", "when", "see", "cat"])
            assert known == {"whenyou", "when", "see"}
            counted = count_texts(snapshot, SPACE, EVERYWHERE)
        assert (counted.recognized, counted.with_text) == (3, 2)
        assert counted.engines == (("tests 1", 3),)

    def test_replaces_text_and_keeps_it_with_its_content(self, store):
        image = record("a.png", unit(1))
        commit(store, image, texts=[text_of(image, "wrong")])
        commit(store, texts=[text_of(image, "right")])
        assert self.matched(store, "wrong") == {}
        assert self.matched(store, "right") == {"a.png": 1}
        remove(store, "a.png")
        assert self.matched(store, "right") == {}
        commit(store, record("b.png", None, "a.png"))
        assert self.matched(store, "right") == {"b.png": 1}  # it was not recognised again
        remove(store, "b.png")
        with store.writing() as writer:
            writer.prune()
        commit(store, image)
        assert self.matched(store, "right") == {}

    def test_ranks_better_matches_first(self, store):
        images = [record(f"{number}.png", unit(1)) for number in range(3)]
        texts = ("only the cat among many other words", "cat and dog", "neither")
        commit(store, *images)
        commit(store, texts=[text_of(i, text) for i, text in zip(images, texts, strict=True)])
        assert list(self.matched(store, "cat dog").items()) == [("1.png", 2), ("0.png", 1)]

    @pytest.mark.parametrize(
        "text", ["黒猫", "猫", "Füße", "fuße", "кот", "שלום", "हिन्दी", "Ωμέγα"]
    )
    def test_finds_text_in_any_script(self, store, text):
        image = record("a.png", unit(1))
        commit(store, image, texts=[text_of(image, "あの黒猫です Füße кот שלום हिन्दी ωμεγα")])
        assert self.matched(store, text) == {"a.png": len(terms(text))}

    def test_finds_terms_in_names_and_notes_together(self, store):
        commit(
            store,
            record("Norway 2023/IMG_1234.jpg", unit(1), notes="Fjord, boat"),
            record("Norway 2023/lake.jpg", unit(1)),
            record("cat.png", unit(1)),
        )

        def find(*texts):
            with self.reading(store) as snapshot:
                images = snapshot.search_names(SPACE, terms(*texts), EVERYWHERE)
            return sorted(names(images))

        assert find("norway") == ["Norway 2023/IMG_1234.jpg", "Norway 2023/lake.jpg"]
        assert find("norway boat") == ["Norway 2023/IMG_1234.jpg"]
        assert find("IMG 1234") == find("jpg") == find("norway cat") == []
        remove(store, "cat.png")
        assert find("cat") == []
        commit(store, record("dog.png", None, "cat.png"))
        assert find("dog") == ["dog.png"]

    def test_finds_images_by_names_of_files_and_folders(self, store):
        def found(name, filter=EVERYWHERE):
            with self.reading(store) as snapshot:
                return names(snapshot.search_paths(SPACE, name, filter))

        commit(store, *BROWSED)
        assert found("A") == found("a.PNG") == ["a.png"]
        assert found("a.jpg") == found("png") == found("") == found("/") == []
        assert found("B.jpg") == found("trip/b") == found("TRIP/B.JPG/") == ["trip/b.JPG"]
        assert found("trap/b") == []
        assert found("far") == ["trip/far/c.png", "trip/far/copy.png"]
        assert set(found("trip")) == {"trip/b.JPG", "trip/far/c.png", "trip/far/copy.png"}
        assert found("trip", Filter("trip/far")) == found("far")
        assert found("odd\udcff") == ["odd\udcff/noextension"]
        with self.reading(store) as snapshot:
            assert list(snapshot.search_paths(OTHER, "a", EVERYWHERE)) == []
        remove(store, "a.png", "trip/far/c.png", "trip/far/copy.png")
        assert found("a") == found("far") == []
        with store.writing() as writer:
            writer.prune()
        assert found("trip") == ["trip/b.JPG"]

    # Queries

    def test_remembers_queries_of_known_spaces(self, store):
        self.searched(store).remember_query(SPACE, "dog", unit(1))
        assert self.searched(store).query_embedding(SPACE, "dog") is None  # no such space yet
        commit(store)
        self.searched(store).remember_query(SPACE, "dog", unit(1))
        np.testing.assert_array_equal(self.searched(store).query_embedding(SPACE, "dog"), unit(1))
        assert self.searched(store).query_embedding(OTHER, "dog") is None


PATHS = {
    # path: (mtime in seconds, date in the metadata, content)
    "a.png": (1_600_000_000, None, 1),
    "trip/b.JPG": (1_500_000_000, "2023-05-01T10:00:00", 2),
    "trip/far/c.png": (1_700_000_000, "2023-05-02T10:00:00", 3),
    "trip/far/copy.png": (1_700_000_001, "2023-05-02T10:00:00", 3),
    "odd\udcff/noextension": (1_400_000_000, None, 4),
}
BROWSED = [
    record(path, np.eye(DIM, dtype=np.float32)[key], str(key), mtime=mtime, taken_at=taken_at)
    for path, (mtime, taken_at, key) in PATHS.items()
]
"""Images in folders; two of them are exact copies."""


class StoreContract(SearchContract):
    """What a store has to do."""

    def state(self, store):
        """The store as a whole."""
        with store.snapshot() as snapshot:
            return snapshot.state()

    def stamps(self, store, space=SPACE, filter=EVERYWHERE, decoder_fingerprint="now"):
        """Every known path with its stamp."""
        with store.snapshot() as snapshot:
            return snapshot.scan_state(space, filter, decoder_fingerprint)

    def known(self, store):
        """Digests that need not be encoded."""
        with store.snapshot() as snapshot:
            return snapshot.digests(SPACE).known

    def pending(self, store, **options):
        """The paths of images whose text is to be recognised."""
        with store.snapshot() as snapshot:
            return [entry.path for entry, _ in snapshot.pending_ocr(EVERYWHERE, **options)]

    def skips(self, store):
        """The paths of skipped files."""
        with store.snapshot() as snapshot:
            return [skip.path for skip in snapshot.skips(EVERYWHERE)]

    def test_knows_nothing_when_it_is_new(self, store):
        state = self.state(store)
        assert (state.active_space, list(state.spaces)) == (None, [])
        assert self.stamps(store) == {}
        assert self.pending(store) == self.skips(store) == []
        assert list(store.verify(SPACE)) == []

    def test_grows_its_version_with_every_commit(self, store):
        before = self.state(store).version
        commit(store, record("a/b.png", unit(1)), record("c.png", unit(0, 1)))
        state = self.state(store)
        assert state.version > before
        assert state.active_space == SPACE
        assert [(info.space, info.embeddings) for info in state.spaces] == [(SPACE, 2)]
        remove(store, "c.png")
        assert self.state(store).version > state.version
        assert isinstance(state, StoreState)

    def test_tells_which_files_are_up_to_date(self, store):
        commit(
            store,
            record("a.png", unit(1)),
            skips=[skipped("s.png"), skipped("f.png", "forbidden")],
        )
        assert self.stamps(store) == {"a.png": (100, 5), "s.png": (7, 8), "f.png": None}
        assert self.stamps(store, decoder_fingerprint="later")["s.png"] is None
        assert self.stamps(store, OTHER)["a.png"] is None
        assert self.skips(store) == ["f.png", "s.png"]
        commit(store, record("s.png", unit(1)))
        assert self.skips(store) == ["f.png"]

    def test_scans_only_the_folder_of_a_filter(self, store):
        commit(store, *(record(path, unit(1)) for path in ("a/x", "ab/x", "a", "a/b/y")))
        assert set(self.stamps(store, filter=Filter("a"))) == {"a/x", "a/b/y"}

    def test_keeps_a_content_once_and_longer_than_its_file(self, store):
        commit(store, record("a.png", unit(1), "k"), record("b.png", None, "k"))
        assert self.found(store, unit(1)) == ["a.png", "b.png"]
        assert remove(store, "a.png", "b.png", "never.png") == [digest_of("k")] * 2
        assert self.known(store) == {digest_of("k")}
        assert self.found(store, unit(1)) == []
        commit(store, record("c.png", None, "k"))
        assert self.found(store, unit(1)) == ["c.png"]
        with store.writing() as writer:
            writer.remove(["c.png"])
            writer.prune()
        assert self.known(store) == set()

    def test_never_mixes_spaces(self, store):
        commit(store, record("a.png", unit(1)))
        commit(store, record("a.png", SMALL, "other"), space=OTHER)
        with store.snapshot() as snapshot:
            assert count(snapshot, SPACE, EVERYWHERE) == 0
            assert count(snapshot, OTHER, EVERYWHERE) == 1
        assert self.state(store).active_space == SPACE
        with store.writing() as writer:
            writer.activate(OTHER)
        assert self.state(store).active_space == OTHER

    def test_leaves_the_others_when_a_space_is_dropped(self, store):
        commit(store, record("both.png", unit(1)), skips=[skipped("s.png")])
        commit(store, record("both.png", SMALL), record("other.png", SMALL), space=OTHER)
        store.remember_query(OTHER, "dog", SMALL)
        with store.writing() as writer:
            writer.drop_space(OTHER)
        assert [info.space for info in self.state(store).spaces] == [SPACE]
        assert self.found(store, unit(1)) == ["both.png"]
        assert set(self.stamps(store)) == {"both.png", "s.png"}
        assert store.query_embedding(OTHER, "dog") is None
        assert list(store.verify(SPACE)) == []
        commit(store, record("other.png", SMALL), space=OTHER)
        with store.snapshot() as snapshot:
            assert count(snapshot, OTHER, EVERYWHERE) == 1

    def test_remembers_choices(self, store):
        with store.writing() as writer:
            writer.remember("choice", "yes")
        settings = self.state(store).settings
        assert settings["choice"] == "yes"
        assert "none" not in settings

    def test_admits_one_writer_at_a_time(self, store):
        with store.writing(), pytest.raises(ArchiveLocked), store.writing():
            pass
        with store.writing():
            pass

    def test_names_images_whose_text_is_pending_newest_first(self, store):
        commit(
            store,
            record("old.png", unit(1), mtime=1),
            record("new.png", unit(1), mtime=9),
            record("copy.png", None, "old.png", mtime=1),
            skips=[skipped("s.png")],
        )
        assert self.pending(store)[0] == "new.png"
        assert len(self.pending(store)) == 2
        commit(store, texts=[RecognizedText(digest_of("new.png"), "tests 1")])
        assert self.pending(store) in (["old.png"], ["copy.png"])
        assert len(self.pending(store, everything=True)) == 2

    def test_finds_the_same_after_a_refresh(self, store):
        commit(store, *(record(f"{number}.png", unit(1, number)) for number in range(20)))
        before = self.found(store, unit(1, 3), limit=20)
        store.refresh(SPACE)
        assert self.found(store, unit(1, 3), limit=20) == before
        remove(store, *before[:5])
        assert self.found(store, unit(1, 3), limit=20) == before[5:]

    def test_reports_embeddings_that_are_not_unit_vectors(self, store):
        commit(store, record("a.png", unit(1) * 3))
        assert list(store.verify(SPACE)) == ["1 embedding not of length 1"]
