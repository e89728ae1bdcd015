"""The two flows as a user meets them, with the fast colour model."""

import os
import shutil
import struct
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from memery import Memery, Term, assembly, index_flow, query_flow
from memery.archive import find_archive
from memery.config import Config
from memery.errors import (
    ArchiveDamaged,
    ArchiveError,
    ArchiveMissing,
    FolderError,
    ImageError,
    ModelError,
    ModelMismatch,
    QueryError,
)
from memery.gateway.maintenance import purge
from memery.query.filters import Filter
from memery.stores.derived import facets
from memery.stores.records import Browse
from memery.testing import ColourModel, MemoryStore
from support.images import paint

COLOURS = {"red": "red", "green": "green", "blue": "blue", "yellow": "yellow"}


pytestmark = pytest.mark.usefixtures("colours")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "trip").mkdir(parents=True)
    for name, colour in COLOURS.items():
        paint(folder / f"{name}.png", colour)
    paint(folder / "trip" / "sea.png", (30, 60, 220))
    return folder


def paths(results):
    return [hit.path for hit in results]


def test_text_finds_its_image(photos):
    results = query_flow(photos, "red", top_k=1)
    assert paths(results) == ["red.png"]
    assert results.total == 5
    assert results.model_id == "colours"
    assert results[0].score == pytest.approx(1, abs=1e-3)
    with Image.open(results[0]) as image:
        assert image.size == (40, 30)
    assert "red.png" in results._repr_html_()


def test_image_finds_similar_ones_and_equal_scores_are_ordered_by_path(photos):
    assert paths(query_flow(photos, image_query=photos / "blue.png", top_k=2)) == [
        "blue.png",
        "trip/sea.png",
    ]
    data = (photos / "green.png").read_bytes()
    assert paths(query_flow(photos, image_query=data, top_k=1)) == ["green.png"]


def test_combines_terms_by_boost_and_sign(photos):
    with Memery(photos) as memery:
        memery.build()
        both = memery.recall("red", image_query=photos / "blue.png", exclude=["green"], top_k=5)
        assert both[0].score == both[2].score
        assert paths(both)[-1] == "green.png"
        boosted = memery.recall([Term(text="red", boost=2), Term(text="blue", boost=0.5)])
        assert paths(boosted)[0] == "red.png"
        assert paths(memery.recall(exclude="red"))[-1] == "red.png"
        assert paths(memery.recall(exclude_images=photos / "red.png"))[-1] == "red.png"
        assert paths(memery.recall("red", top_k=2, offset=1)) == paths(memery.recall("red"))[1:3]


@pytest.mark.parametrize(
    "query",
    [None, "", " ", [], [Term(text="red"), Term(text="red", boost=-1)]],
)
def test_rejects_empty_queries(photos, query):
    with pytest.raises(QueryError):
        query_flow(photos, query)


def test_encodes_only_what_changed(photos):
    first = index_flow(photos)
    assert (first.encoded, first.reused, first.searchable) == (5, 0, 5)
    assert first.archive == photos / ".memery"
    assert first.index.is_dir()
    again = index_flow(photos)
    assert (again.encoded, again.unchanged) == (0, 5)

    shutil.copy2(photos / "red.png", photos / "trip" / "copy.png")
    (photos / "green.png").rename(photos / "trip" / "grass.png")
    paint(photos / "blue.png", "purple", size=(50, 30))
    (photos / "yellow.png").unlink()
    report = index_flow(photos)
    assert (report.encoded, report.reused, report.moved, report.removed) == (1, 2, 1, 1)
    assert paths(query_flow(photos, "green", top_k=1)) == ["trip/grass.png"]
    assert paths(query_flow(photos, "purple", top_k=1)) == ["blue.png"]
    assert "yellow.png" not in paths(query_flow(photos, "yellow", top_k=10))


def test_counts_renamed_copies_as_moved(photos):
    shutil.copy2(photos / "red.png", photos / "copy.png")
    index_flow(photos)
    (photos / "red.png").rename(photos / "one.png")
    (photos / "copy.png").rename(photos / "two.png")
    report = index_flow(photos)
    assert (report.encoded, report.moved, report.removed) == (0, 2, 0)


def test_searches_subfolder_in_the_archive_above(photos):
    index_flow(photos)
    results = query_flow(photos / "trip", "red")
    assert paths(results) == ["sea.png"]
    assert results.total == 1
    assert not (photos / "trip" / ".memery").exists()
    assert paths(query_flow(photos, "red", under="trip")) == ["trip/sea.png"]
    with pytest.raises(QueryError):
        query_flow(photos, "red", under="../elsewhere")


def test_reports_skipped_files_and_does_not_retry_them(photos):
    (photos / "broken.jpg").write_bytes((photos / "red.png").read_bytes()[:60])
    (photos / "words.png").write_text("not a picture")
    (photos / "empty.gif").touch()
    for name in ("broken.jpg", "words.png", "empty.gif"):
        os.utime(photos / name, (1_700_000_000, 1_700_000_000))
    (photos / ".hidden").mkdir()
    paint(photos / ".hidden" / "secret.png", "red")
    (photos / ".memeryignore").write_text("trip/\n")
    (photos / "link.png").symlink_to("red.png")
    report = index_flow(photos)
    assert {skip.path: skip.reason for skip in report.skips} == {
        "broken.jpg": "truncated",
        "words.png": "not an image",
        "empty.gif": "truncated",
    }
    assert report.searchable == 4
    assert index_flow(photos).unchanged == 7
    with Memery(photos) as memery:
        status = memery.status()
    assert len(status.skips) == 3
    assert status.changes.links == 1
    assert not status.changes


def test_keeps_what_was_committed_before_an_interruption(photos):
    class InterruptionError(Exception):
        pass

    def interrupt(progress):
        if progress.done:
            raise InterruptionError

    with pytest.raises(InterruptionError):
        index_flow(photos, batch_size=2, progress=interrupt)
    assert query_flow(photos, "red", refresh=False).total == 2
    assert index_flow(photos).encoded == 3


def test_rebuild_encodes_everything_and_drops_what_is_gone(photos):
    index_flow(photos)
    (photos / "red.png").unlink()
    report = index_flow(photos, rebuild=True)
    assert (report.encoded, report.searchable) == (4, 4)
    with Memery(photos) as memery:
        assert [count for _, count in memery.status().spaces] == [4]


def test_verify_finds_changes_with_equal_size_and_time(photos):
    paint(photos / "turncoat.bmp", "cyan")
    index_flow(photos)
    paint(photos / "turncoat.bmp", "pink")
    with Memery(photos) as memery:
        assert memery.build().unchanged == 6
        report = memery.build(verify=True)
        assert (report.encoded, report.reused) == (1, 5)
        assert paths(memery.recall("pink", top_k=1)) == ["turncoat.bmp"]


def test_names_damaged_store_and_purges_it(photos):
    report = index_flow(photos)
    store = report.archive / "store.sqlite3"
    store.write_bytes(b"no database" * 1000)
    with pytest.raises(ArchiveDamaged, match="memery purge"):
        query_flow(photos, "red")


@pytest.mark.parametrize("name", ["vectors.faiss", "ids.i64"])
@pytest.mark.parametrize("damage", [b"", b"\xff" * 500])
def test_rebuilds_damaged_index_with_a_notice(photos, name, damage, caplog):
    report = index_flow(photos)
    before = paths(query_flow(photos, "red"))
    (file,) = report.index.glob(f"*/{name}")
    file.write_bytes(damage)
    assert paths(query_flow(photos, "red")) == before
    assert "rebuilt" in caplog.text


def test_rebuilds_index_of_other_vectors(photos, caplog):
    report = index_flow(photos)
    before = paths(query_flow(photos, "red"))
    (file,) = report.index.glob("*/vectors.faiss")
    content = bytearray(file.read_bytes())
    content[-320:] = content[-64:] + content[-320:-64]
    file.write_bytes(bytes(content))
    assert paths(query_flow(photos, "red")) == before
    assert "does not match" in caplog.text


def test_rejects_models_that_do_not_fit_the_archive(photos, monkeypatch):
    index_flow(photos)
    monkeypatch.setenv("COLOURS_FINGERPRINT", "another")
    with pytest.raises(ModelMismatch, match="--rebuild"):
        query_flow(photos, "red")
    assert index_flow(photos, rebuild=True).encoded == 5
    assert paths(query_flow(photos, "red", top_k=1)) == ["red.png"]
    with pytest.raises(ModelError, match="Known here"):
        query_flow(photos, "red", model="unheard-of")


def test_rejects_model_that_gives_nan(photos):
    with pytest.raises(ModelError, match="not finite"):
        index_flow(photos, model="broken")


def test_rejects_unusable_folders_and_images(photos):
    with pytest.raises(FolderError, match="does not exist"):
        index_flow(photos / "missing")
    with pytest.raises(FolderError, match="is a file"):
        index_flow(photos / "red.png")
    with pytest.raises(ImageError, match=r"nowhere\.jpg"):
        query_flow(photos, image_query="nowhere.jpg")
    with pytest.raises(ImageError, match="not an image"):
        query_flow(photos, image_query=b"words")
    with Memery(photos) as memery, pytest.raises(ArchiveMissing, match="memery build"):
        memery.recall("red")


def test_writes_nothing_for_an_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    assert len(query_flow(tmp_path / "empty", "red")) == 0
    assert not (tmp_path / "empty" / ".memery").exists()


def test_follows_links_if_asked_and_remembers_it(photos, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    paint(tmp_path / "elsewhere" / "far.png", "cyan")
    (photos / "trip" / "linked").symlink_to(tmp_path / "elsewhere")
    (photos / "trip" / "loop").symlink_to(photos)
    with Memery(photos, follow_links=True) as memery:
        assert memery.build().searchable == 6
    assert paths(query_flow(photos, "cyan", top_k=1)) == ["trip/linked/far.png"]


@pytest.mark.parametrize("link", ["a link", "trip 2", "zz link"])
def test_linked_folder_does_not_hide_the_folder_itself(photos, link):
    with Memery(photos) as memery:
        memery.build()
        without_links = set(paths(memery.recall("red")))
    (photos / link).symlink_to("trip", target_is_directory=True)
    with Memery(photos, follow_links=True) as memery:
        memery.build()
        assert set(paths(memery.recall("red"))) == without_links


@pytest.mark.parametrize("part", ["", "index", "lock", "lock.pid", "store.sqlite3", ".gitignore"])
def test_does_not_follow_links_in_an_archive(photos, tmp_path, part):
    outside = tmp_path / "home"
    (outside / ".ssh").mkdir(parents=True)
    (outside / ".ssh" / "key").write_text("precious")
    if part:
        (photos / ".memery").mkdir()
    directory = part in ("", "index")
    (photos / ".memery" / part).symlink_to(outside if directory else outside / "new")
    with pytest.raises(ArchiveError, match="symbolic links are not followed"):
        index_flow(photos)
    assert [path.name for path in outside.rglob("*")] == [".ssh", "key"]


@pytest.mark.parametrize("damage", ["random ids", "missing ids", "vectors of no number"])
def test_subtly_damaged_index_hides_no_image(photos, damage):
    report = index_flow(photos)
    before = paths(query_flow(photos, "red"))
    (ids,) = report.index.glob("*/ids.i64")
    (vectors,) = report.index.glob("*/vectors.faiss")
    content = ids.read_bytes()
    if damage == "random ids":
        ids.write_bytes(b"\x07" * len(content))
    elif damage == "missing ids":
        ids.write_bytes(content[8:])
    else:
        size = 5 * 2 * 32
        vectors.write_bytes(vectors.read_bytes()[:-size] + b"\xff\x7f" * (size // 2))
    assert paths(query_flow(photos, "red")) == before
    assert paths(query_flow(photos, "red")) == before


def test_ignores_invalid_pattern_with_a_warning(photos, caplog):
    (photos / ".memeryignore").write_text("!\ntrip\n")
    assert index_flow(photos).searchable == 4
    assert "memeryignore: ignoring the invalid pattern '!'" in caplog.text
    (photos / ".memeryignore").unlink()
    os.mkfifo(photos / ".memeryignore")
    os.mkfifo(photos / "pipe.png")
    assert index_flow(photos).searchable == 5


def test_flows_accept_other_executors(photos):
    """Store, model and two executors of one's own; the flows do not notice."""

    class Shouting:
        """An encoder that notes what it was asked for."""

        def __init__(self, encoder):
            self.space = encoder.space
            self.known = encoder.known
            self.encoder = encoder
            self.encoded = 0

        def encode_images(self, pictures):
            self.encoded += len(pictures)
            return self.encoder.encode_images(pictures)

        def encode_query(self, query, pictures):
            return self.encoder.encode_query(query, pictures)

        def unsupported_texts(self, query):
            return self.encoder.unsupported_texts(query)

    class Backwards:
        """A ranker that gives the worst first."""

        def __init__(self, ranker):
            self.ranker = ranker

        def rank(self, space, vector, words, ranking):
            ranked = self.ranker.rank(space, vector, words, replace(ranking, top_k=1000))
            return replace(ranked, hits=ranked.hits[::-1][: ranking.top_k])

    archive = find_archive(photos)
    made = assembly.assemble(archive, Config(), MemoryStore(), ColourModel())
    encoder = Shouting(made.encoder)
    mine = replace(made, encoder=encoder, ranker=Backwards(made.ranker))
    assert index_flow(photos, executors=mine).encoded == 5
    results = query_flow(photos, "red", top_k=5, executors=mine)
    assert paths(results)[-1] == "red.png"
    assert encoder.encoded == 5
    assert not (photos / ".memery").exists()


def test_rejects_folder_with_other_files_as_archive(photos, tmp_path):
    project = tmp_path / "project"
    (project / "index").mkdir(parents=True)
    things = {".gitignore": "*.o", "lock": "a", "lock.pid": "b", "index/x.html": "precious"}
    for name, text in things.items():
        (project / name).write_text(text)
    for place in (project, photos):
        with pytest.raises(ArchiveError, match="contains other files"):
            index_flow(photos, archive=place)
    (project / "store.sqlite3").write_text("mine")
    with pytest.raises(ArchiveError):
        purge(photos, archive=project)
    assert {name: (project / name).read_text() for name in things} == things
    assert len(list(photos.rglob("*.png"))) == 5


def test_purge_leaves_what_others_put_into_an_archive(photos, tmp_path):
    for place in (photos / ".memery", tmp_path / "archive"):
        index_flow(photos, archive=place)
        (place / "index" / "mine.txt").write_text("kept")
        (place / ".gitignore").write_text("mine")
        purge(photos, archive=place)
        left = sorted(path.relative_to(place).as_posix() for path in place.rglob("*"))
        assert left == [".gitignore", "index", "index/mine.txt"]


@pytest.mark.parametrize("part", ["lock", "lock.pid", "index", "store.sqlite3"])
def test_rejects_pipe_in_an_archive(photos, part):
    (photos / ".memery").mkdir()
    os.mkfifo(photos / ".memery" / part)
    with pytest.raises(ArchiveError, match=part):
        index_flow(photos)


def test_ignores_note_of_a_killed_writer(photos):
    index_flow(photos)
    (photos / ".memery" / "lock.pid").write_text("123")
    with Memery(photos) as memery:
        assert memery.status().holder is None


@pytest.mark.parametrize("name", ["vectors.faiss", "ids.i64"])
@pytest.mark.parametrize("trap", ["pipe", "link", "900 GB"])
def test_rebuilds_index_with_pipes_links_or_huge_files(photos, name, trap):
    report = index_flow(photos)
    before = paths(query_flow(photos, "red"))
    (file,) = report.index.glob(f"*/{name}")
    file.unlink()
    if trap == "pipe":
        os.mkfifo(file)
    elif trap == "link":
        file.symlink_to("/dev/zero")
    else:
        with file.open("wb") as sparse:
            sparse.truncate(900 << 30)
    assert paths(query_flow(photos, "red")) == before


def test_archive_keeps_its_model_until_a_build_changes_it(photos, monkeypatch):
    index_flow(photos)
    with pytest.raises(ModelMismatch, match="not indexed with starter"):
        query_flow(photos, "red", model="starter", refresh=False)
    assert query_flow(photos, "red", model="starter").model_id == "starter"
    monkeypatch.delenv("MEMERY_MODEL")
    assert query_flow(photos, "red").model_id == "colours"
    assert index_flow(photos, model="starter").model_id == "starter"
    assert query_flow(photos, "red").model_id == "starter"
    back = index_flow(photos, model="colours")
    assert (back.encoded, back.unchanged) == (0, 5)
    assert query_flow(photos, "red").model_id == "colours"


def test_closed_library_rejects_calls(photos):
    memery = Memery(photos)
    memery.build()
    memery.close()
    with pytest.raises(ArchiveError, match="closed"):
        memery.recall("red")


@pytest.mark.parametrize("year", [1500, 1969, 2262, 2300, 40_000])
def test_accepts_any_date_of_a_file(photos, year):
    seconds = round((year - 1970) * 365.2425 * 86400)
    strange = next(photos.rglob("*.png"))
    try:
        os.utime(strange, ns=(seconds * 10**9, seconds * 10**9))
    except OverflowError:
        pytest.skip("this system has no such dates")
    before = index_flow(photos)
    assert index_flow(photos).unchanged == before.searchable
    purge(photos)
    report = index_flow(photos)
    assert (report.searchable, report.skips) == (before.searchable, before.skips)
    hits = query_flow(photos, "red", top_k=100)
    (hit,) = [hit for hit in hits if Path(hit).samefile(strange)]
    assert hit.image.date
    shutil.copy2(strange, photos / "copy.png")
    with Memery(photos) as memery:
        groups = memery.duplicates(refresh=True, exact_only=True)
        assert any("copy.png" in {copy.path for copy in group} for group in groups)
        file, media_type = memery.open(hit.image)
        file.close()
        assert media_type == "image/png"
        assert memery.recall("red", since="0001", until="9999", sort="date", top_k=100).total


def test_purges_archive_kept_elsewhere_when_its_folder_is_gone(photos, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    index_flow(photos, archive=elsewhere)
    shutil.rmtree(photos)
    with pytest.raises(FolderError, match="does not exist"):
        purge(photos)
    other = tmp_path / "other"
    with pytest.raises(ArchiveError, match="belongs to another folder"):
        purge(other, archive=elsewhere)
    other.mkdir()
    with pytest.raises(ArchiveError, match="belongs to another folder"):
        purge(other, archive=elsewhere)
    assert purge(photos, archive=elsewhere) == elsewhere
    assert not elsewhere.exists()


def test_purges_archive_in_the_cache_when_its_folder_is_gone(photos, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("memery.archive._is_usable", lambda _: False)
        place = index_flow(photos).archive
    assert not place.is_relative_to(photos)
    shutil.rmtree(photos)
    assert purge(photos) == place
    assert not place.exists()


def test_purges_damaged_archive_kept_elsewhere(photos, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    index_flow(photos, archive=elsewhere)
    with (elsewhere / "store.sqlite3").open("r+b") as file:
        file.seek(200)
        file.write(b"\xff" * 2000)
    assert purge(photos, archive=elsewhere) == elsewhere
    assert not elsewhere.exists()


def test_accepts_any_value_of_a_camera(photos):
    """Values at and beyond their limits: dates, times, places, sensitivities, sizes, text."""
    ifd, gps = 0x8769, 0x8825
    hostile = [
        {ifd: {0x9003: "0000:00:00 00:00:00", 0x9004: "9999:12:31 23:59:59"}},
        {ifd: {0x9003: "0001:01:01 00:00:00", 0x9291: "9" * 500, 0x9011: "-23:59"}},
        {ifd: {0x9003: "99999:99:99 99:99:99", 0x8827: 65535, 0x9003 + 1: b"\xff\xfe\x00"}},
        {gps: {29: "9999:12:31", 7: (1e308, float("inf"), 4294967295)}},
        {gps: {29: "0001:01:01", 7: (0, 0, 0), 2: (999.0, 0.0, 1e-30), 4: (-1.0, 0.0, 0.0)}},
        {0x0112: 65535, 0x010E: "\ud7ff" * 20_000, 0x0132: " " * 19},
        {0x9C9B: b"\x00\xd8" * 1000, 0x0110: "\x00\x01\x02", 0x011A: 0.0},
    ]
    for number, tags in enumerate(hostile):
        exif = Image.Exif()
        for tag, value in tags.items():
            if isinstance(value, dict):
                exif.get_ifd(tag).update(value)
            else:
                exif[tag] = value
        place = photos / f"hostile {number}.jpg"
        try:
            Image.new("RGB", (40, 30), "red").save(place, exif=exif)
        except (OverflowError, ValueError, UnicodeError, struct.error):  # it cannot be written
            paint(place, "red")
    for packet in (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
        ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreateDate="9999-12-31T23:59:59-23:59"'
        ' xmp:Rating="1e400"/></rdf:RDF></x:xmpmeta>',
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;",
    ):
        Image.new("RGB", (40, 30), "red").save(
            photos / f"xmp {len(packet)}.jpg", xmp=packet.encode()
        )
    count = len([*photos.rglob("*.*")])
    for _ in range(2):
        report = index_flow(photos)
        assert (report.searchable, report.skips) == (count, ())
        with Memery(photos) as memery:
            assert memery.recall("red", sort="date", since="0001", until="9999", top_k=99).total
            with memery.store.snapshot() as snapshot:
                images = snapshot.browse(memery.space, Browse(filter=Filter(), order="date")).images
                months = facets(snapshot, memery.space, Filter()).months
            assert all(datetime.fromisoformat(image.date) for image in images)
            assert sum(months.values()) == count
        purge(photos)
