"""Another process purges, replaces or rebuilds the archive between any two steps of a search.

The answer is that of before or that of after: nothing in between, and no exception.
"""

import contextlib
import functools
import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from memery import Memery
from memery.archive import find_archive
from memery.errors import MemeryError
from memery.gateway.collections import CollectionResults, Collections
from memery.imaging.decoding import decode
from memery.query.filters import Filter
from memery.query.options import SearchOptions
from memery.query.terms import Query, Term
from memery.results import Results
from memery.stores.records import Browse, Content, IndexRecord, RecognizedText, Space
from memery.stores.sqlite.store import SQLiteStore
from memery.testing import ColourModel
from memery.types import FileEntry, Line
from support.images import MODIFIED, paint

MODEL = ColourModel()
SPACE = Space(MODEL.info.model_id, MODEL.info.fingerprint, MODEL.info.dim)
OTHER = Space("other", "f2", 4)
EVERYWHERE = Filter()
PURGE = "import sys; from memery.archive import find_archive; find_archive(sys.argv[1]).purge()"


pytestmark = pytest.mark.usefixtures("colours")


@functools.cache
def additions(folder, names):
    """What a build would commit of a folder's images."""
    added = []
    for name in names:
        facts, data = (folder / name).stat(), (folder / name).read_bytes()
        seen = decode(data, MODEL.info.resize, 1 << 20)
        vector = MODEL.encode_images(seen.pixels[None])[0]
        content = Content(
            seen.width, seen.height, seen.format, None, vector, hashes=seen.hashes, notes="a note"
        )
        entry = FileEntry(name, facts.st_size, facts.st_mtime_ns)
        added.append(IndexRecord(entry, hashlib.sha256(data).hexdigest(), content))
    return added


def commit(folder, texts, space=SPACE):
    """Index a folder: names of its images, each with the text in it."""
    added = additions(folder, tuple(texts))
    store = SQLiteStore(find_archive(folder))
    with store.writing() as writer:
        writer.commit(space, added, [])
        writer.commit_texts(
            [
                RecognizedText(
                    addition.digest, "tests 1", (Line(line, 0.9, (0, 0, 1, 1)),) if line else ()
                )
                for addition, line in zip(added, texts.values(), strict=True)
            ]
        )
    store.refresh(space)
    return store


BEFORE = {"red.png": "harbour lights", "sub/blue.png": "harbour", "green.png": "", "pink.png": ""}
AFTER = {"red.png": "lights", "orange.png": "the harbour of lights", "grey.png": ""}
BESIDE = {"yellow.png": "harbour", "red.png": ""}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Three folders: one to search, one searched with it, one whose archive takes its place."""
    place = tmp_path_factory.mktemp("places")
    for name, texts in (("photos", BEFORE), ("beside", BESIDE), ("instead", AFTER)):
        for number, image in enumerate(texts):
            file = place / name / image
            paint(file, file.stem, (12, 8 + number), modified=MODIFIED + number)
        commit(place / name, texts).close()
        shutil.copytree(place / name / ".memery", place / f"{name}.archive")
    paint(place / "purple.png", "purple", (12, 9))
    return place


def purge(place):
    find_archive(place / "photos").purge()


def purge_elsewhere(place):
    subprocess.run([sys.executable, "-c", PURGE, place / "photos"], check=True)


def put_another(place):
    purge(place)
    shutil.copytree(place / "instead.archive", place / "photos" / ".memery")


def rebuild(place):
    """All embeddings are written again, two images are gone, and so is the old index."""
    store = SQLiteStore(find_archive(place / "photos"))
    with store.writing() as writer:
        writer.commit(SPACE, additions(place / "photos", tuple(BEFORE)), [])
        writer.remove(["red.png", "green.png"])
        writer.prune()
    store.refresh(SPACE)
    store.close()


def switch_model(place):
    """Another model answers, and the embeddings of the one that is asked are dropped."""
    store = SQLiteStore(find_archive(place / "photos"))
    added = [
        replace(a, content=replace(a.content, embedding=a.content.embedding[:4]))
        for a in additions(place / "photos", tuple(BEFORE))
    ]
    with store.writing() as writer:
        writer.commit(OTHER, added, [])
        writer.activate(OTHER)
        writer.drop_space(SPACE)
    store.close()


ACTS = {"purge": purge, "replace": put_another, "rebuild": rebuild, "switch": switch_model}


def id_of(place, name):
    store = SQLiteStore(find_archive(place / "photos"))
    with store.snapshot() as snapshot:
        images = snapshot.browse(SPACE, Browse(filter=EVERYWHERE)).images
        (image,) = [image for image in images if image.path == name]
    store.close()
    return image.id


def one_folder(ask):
    """A search of the library over one folder, as a function of the place."""

    def run(place):
        with Memery(place / "photos", choose=lambda *_: ColourModel()) as memery:
            yield [memery.store]
            yield lambda: ask(memery, place)

    return run


def both_folders(ask):
    """A search of the server over two folders."""

    def run(place):
        with Collections([place / "photos", place / "beside"]) as collections:
            yield [collection.memery.store for collection in collections]
            yield lambda: ask(collections, place)

    return run


def terms(place, *names):
    return Query(tuple(Term(id=IDS[name]) for name in names))


IDS = {}
RANKING = SearchOptions(3)
SEARCHES = {
    "text": one_folder(lambda m, _: m.recall("red harbour lights")),
    "words": one_folder(lambda m, _: m.recall("harbur lights", mode="text")),
    "name": one_folder(lambda m, _: m.recall('"red" a note', under="")),
    "file name": one_folder(lambda m, _: m.recall("red.png", min_strength=0.0)),
    "nothing": one_folder(lambda m, _: m.recall("red", under="nowhere")),
    "strong": one_folder(lambda m, _: m.recall("red harbour", min_strength=-3.0, top_k=1)),
    "dates": one_folder(lambda m, _: m.recall("harbour", sort="date", top_k=2, offset=1)),
    "picture": one_folder(lambda m, place: m.recall(image_query=place / "photos" / "red.png")),
    "unknown picture": one_folder(lambda m, place: m.recall(image_query=place / "purple.png")),
    "feedback": one_folder(
        lambda m, place: m.recall(
            "harbour",
            more=[place / "photos" / "red.png"],
            less=[place / "photos" / "sub" / "blue.png"],
        )
    ),
    "refreshing": one_folder(
        lambda m, place: m.recall(more=[place / "photos" / "pink.png"], refresh=True)
    ),
    "similar": one_folder(lambda m, _: m.similar(Term(id=IDS["red.png"]))),
    "duplicates": one_folder(lambda m, _: m.duplicates()),
    "ids, both": both_folders(
        lambda c, place: c.search(terms(place, "red.png", "sub/blue.png"), RANKING)
    ),
    "text, both": both_folders(lambda c, _: c.search(Query((Term("red harbour"),)), RANKING)),
    "similar, both": both_folders(lambda c, _: c.similar(IDS["red.png"], RANKING)),
    "listing, both": both_folders(lambda c, _: c.browse(SearchOptions(5), "date")),
    "facets, both": both_folders(lambda c, _: c.facets(SearchOptions())),
    "facts": both_folders(lambda c, _: c.describe(IDS["red.png"])),
}


def plain(found):
    """An answer, or an error that a user may see, as something to compare."""
    match found:
        case MemeryError():
            return type(found).__name__, str(found)
        case Results():
            hits = [(h.rank, h.path, round(h.score, 5), h.weak, h.copy_paths) for h in found]
            return found.total, found.strong, found.warnings, hits
        case CollectionResults():
            hits = [
                (hit.rank, image.collection.name, image.path, round(hit.score, 5), image.lines)
                for image, hit in zip(found.images, found.results, strict=True)
            ]
            return found.results.total, found.results.strong, hits
        case (list() as images, int() as total, reasons):
            return total, [(one.collection.name, one.path, one.lines) for one in images], reasons
        case _ if hasattr(found, "lines"):
            return found.image, found.lines
    return found


class CountedReads:
    """A snapshot whose reads are counted."""

    def __init__(self, snapshot, counted):
        self._snapshot, self._counted = snapshot, counted

    def __getattr__(self, name):
        return self._counted(getattr(self._snapshot, name))


class Steps:
    """Counts what is asked of stores, and lets something happen before one of these calls."""

    def __init__(self, stores, act, at):
        self.count, self._act, self._at = 0, act, at
        for store in stores:
            store.query_embedding = self._counted(store.query_embedding)
            store.snapshot = self._counted(self._counting(store.snapshot))

    def _counting(self, enter):
        """Snapshots whose reads are counted too."""

        @contextlib.contextmanager
        def snapshot():
            with enter() as entered:
                yield CountedReads(entered, self._counted)

        return snapshot

    def _counted(self, method):
        def call(*args, **kwargs):
            self.step()
            return method(*args, **kwargs)

        return call

    def step(self):
        self.count += 1
        if self.count == self._at:
            self._act()


def ask(place, search, act=None, at=0):
    """What a search gives while something happens before its step `at`; and how many it has.

    At -1 it happens before all of them.
    """
    shutil.rmtree(place / "photos" / ".memery", ignore_errors=True)
    shutil.copytree(place / "photos.archive", place / "photos" / ".memery")
    running = SEARCHES[search](place)
    steps = Steps(next(running), act and (lambda: act(place)), at)
    run = next(running)
    if at == -1:
        act(place)
    try:
        answer = plain(run())
    except MemeryError as error:
        answer = plain(error)
    running.close()
    return answer, steps.count


@pytest.fixture(scope="module")
def ids(places):
    IDS.update({name: id_of(places, name) for name in BEFORE})


def every_pair():
    """The whole matrix takes a minute: purges of one folder cost little."""
    for name in SEARCHES:
        for act in ACTS:
            quick = (act == "purge" and "both" not in name) or (name, act) == (
                "text",
                "rebuild",
            )
            yield pytest.param(name, act, marks=[] if quick else pytest.mark.slow)


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize(("search", "act"), list(every_pair()))
def test_gives_the_answer_of_before_or_of_after(places, search, act, monkeypatch):
    before, steps = ask(places, search)
    assert steps > 1
    seen = [ask(places, search, ACTS[act], at)[0] for at in range(1, steps + 1)]
    allowed = [before, ask(places, search, ACTS[act], -1)[0]]
    # What is purged after it was brought up to date is not indexed a second time.
    monkeypatch.setattr("memery.core.run_index", lambda *_, **__: None)
    allowed.append(ask(places, search, ACTS[act], -1)[0])
    assert [answer for answer in seen if answer not in allowed] == []


@pytest.mark.usefixtures("ids")
def test_reads_on_while_another_process_purges(places):
    before, _ = ask(places, "text")
    answer, _ = ask(places, "text", purge_elsewhere, 6)
    assert answer == before
    assert not (places / "photos" / ".memery").exists()
