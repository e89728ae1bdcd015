"""What a run of the Indexer commits, counts and leaves behind."""

from types import SimpleNamespace

import numpy as np
import pytest

from memery.archive import Archive
from memery.errors import ArchiveLocked, ArchiveMissing, ModelMismatch
from memery.executors import progress
from memery.executors.indexer import Indexer
from memery.executors.progress import ProgressTracker
from memery.executors.types import Batch, Changes, LoadedImage, OcrBatch
from memery.query.filters import Filter
from memery.stores.records import RecognizedText, SkipRecord, Space
from memery.testing import MemoryStore
from memery.types import FileEntry, Line, Skip

SPACE, OTHER = Space("one", "1", 4), Space("other", "2", 4)
EMBEDDING = np.array([[1, 0, 0, 0]], dtype=np.float32)
NOT_DECODED = np.empty((0, 4), dtype=np.float32)
DECODED = SimpleNamespace(
    width=4,
    height=3,
    format="PNG",
    taken_at=None,
    notes="",
    hashes=bytes(72),
    colour=None,
    date_source="",
    damage="",
)


def digest(name):
    return name.encode().hex().ljust(64, "0")


def entry(name):
    return FileEntry(name, 1, 1)


def batch_of(name, content=None, *, decoded=DECODED):
    return Batch((LoadedImage(entry(name), digest(content or name), decoded),), ())


def found(*names):
    return Changes(new=tuple(map(entry, names)))


class Thumbnails:
    def __init__(self):
        self.forgotten = []

    def forget(self, digest):
        self.forgotten.append(digest)


@pytest.fixture
def store():
    return MemoryStore()


def read(store):
    with store.snapshot() as snapshot:
        return snapshot


@pytest.fixture
def make(tmp_path, store):
    def make(space=SPACE, scope="", thumbnails=None):
        archive = Archive(tmp_path, tmp_path / ".memery", scope)
        return Indexer(archive, store, space, thumbnails)

    return make


def index(indexer, *names):
    with indexer.run(lambda: found(*names)) as run:
        for name in names:
            run.commit(batch_of(name), EMBEDDING)
    return run


def test_counts_what_was_committed(make, store):
    with make().run(lambda: found("a", "b", "c", "d")) as run:
        assert run.progress().total == 4
        assert run.commit(batch_of("a"), EMBEDDING).done == 1
        # The same content once more is not encoded again.
        run.commit(batch_of("b", "a", decoded=None), NOT_DECODED)
        skip = SkipRecord(entry("c"), Skip("c", "truncated"), "")
        vanished = Skip("d", "vanished")
        now = run.commit(Batch((), (skip,), (vanished,)), NOT_DECODED)
        assert (now.done, now.total, now.skipped) == (4, 4, 2)
    report = run.report()
    assert (report.encoded, report.reused, report.searchable) == (1, 1, 2)
    assert report.skips == (Skip("c", "truncated"), vanished)
    assert read(store).skips(Filter()) == [Skip("c", "truncated")]


def test_locks_nothing_without_changes(make, store, monkeypatch):
    index(make(), "a")
    monkeypatch.setattr(store, "writing", pytest.fail)
    with make().run(Changes) as run:
        assert run.pending_files == []
    assert run.report().searchable == 1


def test_scans_again_if_another_process_wrote_before_the_lock(make):
    scans = []

    def scan():
        scans.append(found("a", "b") if not scans else found("b"))
        if len(scans) == 1:
            index(make(), "a")
        return scans[-1]

    with make().run(scan) as run:
        assert run.pending_files == [entry("b")]
        assert digest("a") in run.known


def test_refuses_a_second_writer(make):
    with (
        make().run(lambda: found("a")),
        pytest.raises(ArchiveLocked),
        make().run(lambda: found("b")),
    ):
        pass


def test_counts_a_moved_file_as_neither_removed_nor_encoded(make):
    index(make(), "a", "b")
    changes = Changes(new=(entry("c"),), gone=("a", "b"))
    with make().run(lambda: changes) as run:
        run.commit(batch_of("c", "a", decoded=None), NOT_DECODED)
    report = run.report()
    assert (report.moved, report.removed, report.encoded) == (1, 1, 0)


def test_deletes_the_thumbnails_of_images_that_are_gone(make):
    index(make(), "a", "b")
    thumbnails = Thumbnails()
    changes = Changes(new=(entry("c"),), gone=("a", "b"))
    with make(thumbnails=thumbnails).run(lambda: changes) as run:
        run.commit(batch_of("c", "a", decoded=None), NOT_DECODED)
        assert thumbnails.forgotten == []
    assert thumbnails.forgotten == [digest("b")]


def test_activates_the_space_at_the_end(make, store):
    index(make(), "a")
    with make(OTHER).run(lambda: found("a")) as run:
        run.commit(batch_of("a"), EMBEDDING)
        assert read(store).state().active_space == SPACE
    assert read(store).state().active_space == OTHER


def test_activates_the_space_without_changes(make, store):
    index(make(), "a")
    with make(OTHER).run(Changes):
        pass
    assert read(store).state().active_space == OTHER


@pytest.mark.parametrize(("scope", "activate"), [("part", True), ("", False)])
def test_does_not_activate_the_space(make, store, scope, activate):
    index(make(), "a")
    with make(OTHER, scope).run(lambda: found("part/a"), activate=activate) as run:
        run.commit(batch_of("part/a"), EMBEDDING)
    assert read(store).state().active_space == SPACE


def test_keeps_what_was_committed_before_an_error(make, store):
    index(make(), "old")

    def interrupted():
        with make(OTHER).run(lambda: found("a"), rebuild=True) as run:
            run.commit(batch_of("a"), EMBEDDING)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert read(store).digests(OTHER).known == {digest("a")}
    assert read(store).state().active_space == SPACE
    index(make(), "b")  # the lock was released


def test_rebuild_drops_the_embeddings_of_files_that_are_gone(make, store):
    index(make(), "a", "b")
    changes = Changes(changed=(entry("a"),), gone=("b",))
    with make().run(lambda: changes, rebuild=True) as run:
        assert not run.known
        run.commit(batch_of("a"), EMBEDDING)
        assert read(store).digests(SPACE).known == {digest("a"), digest("b")}
    assert read(store).digests(SPACE).known == {digest("a")}


def test_adds_recognised_texts_to_the_report(make, store):
    report = index(make(), "a", "b").report()
    line = Line("harbour", 1, (0, 0, 1, 1))
    with make().ocr_run(report) as run:
        assert [entry.path for entry, _ in run.pending_images] == ["a", "b"]
        text = RecognizedText(digest("a"), "tests 1", (line,))
        now = run.commit(OcrBatch((text,), skipped=1, finding=1.0, recognising=2.0))
        assert (now.done, now.total, now.skipped, now.stage) == (2, 2, 1, "text")
        run.commit(OcrBatch((RecognizedText(digest("b"), "tests 1"),), finding=1.0))
    done = run.report()
    assert (done.read, done.with_text, done.finding, done.recognising) == (2, 1, 2.0, 2.0)
    assert done.encoded == report.encoded == 2
    assert read(store).text(digest("a")).lines == (line,)


def test_ocr_locks_nothing_without_pending_images(make, store, monkeypatch):
    report = index(make(), "a").report()
    with make().ocr_run(report) as run:
        run.commit(OcrBatch((RecognizedText(digest("a"), "tests 1"),)))
    with make().ocr_run(report, everything=True) as run:
        assert len(run.pending_images) == 1
    monkeypatch.setattr(store, "writing", pytest.fail)
    with make().ocr_run(report) as run:
        assert not run.pending_images


def test_refuses_to_search_what_is_not_indexed(make):
    with pytest.raises(ArchiveMissing):
        make().ensure_indexed()
    index(make(), "a")
    make().ensure_indexed()
    with pytest.raises(ModelMismatch, match="not indexed with other, but with one"):
        make(OTHER).ensure_indexed()


def test_counts_searchable_images_once_a_second(monkeypatch):
    clock = iter([10.0, 10.5, 10.9, 11.6, 11.7])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    counted = iter([3, 5])
    tracker = ProgressTracker("images", 9, lambda: next(counted))
    assert [tracker.advance(1, 0).searchable for _ in range(4)] == [3, 3, 3, 5]
