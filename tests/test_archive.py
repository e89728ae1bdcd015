"""Where the archive of a folder lies, and what memery makes and deletes there."""

import os
import sys
from pathlib import Path

import pytest

from memery.archive import Archive, find_archive, find_orphan
from memery.errors import ArchiveError, ArchiveLocked, FolderError
from support.commands import as_an_ordinary_user, run_process, run_python
from support.images import paint

FIND = """
import sys
from pathlib import Path
from memery.archive import find_archive
for folder in sys.argv[1:]:
    found = find_archive(folder)
    print(found.root, found.folder, found.scope, sep="|")
"""


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def photos(tmp_path):
    """A folder with folders in it, and no archive."""
    (tmp_path / "photos" / "trip" / "day").mkdir(parents=True)
    return tmp_path / "photos"


def index(folder):
    """What makes a folder one that has an archive: a store."""
    (folder / ".memery").mkdir()
    (folder / ".memery" / "store.sqlite3").touch()


def found_by_ordinary_user(*folders):
    """What `find_archive` finds for one who may not write everywhere: root, folder, scope."""
    done = run_python("-c", FIND, *folders, preexec_fn=as_an_ordinary_user)
    return [tuple(line.split("|")) for line in done.stdout.splitlines()]


def test_new_folder_has_its_archive_inside(photos):
    assert find_archive(photos) == Archive(photos, photos / ".memery")
    assert not (photos / ".memery").exists()


def test_subfolder_belongs_to_the_archive_above(photos):
    index(photos)
    found = find_archive(photos / "trip" / "day")
    assert found == Archive(photos, photos / ".memery", "trip/day")
    assert found.searched == photos / "trip" / "day"
    assert find_archive(photos).scope == ""


def test_nearest_archive_above_is_used(photos):
    index(photos)
    index(photos / "trip")
    assert find_archive(photos / "trip" / "day").root == photos / "trip"


def test_archive_folder_without_store_is_not_used(photos):
    (photos / ".memery").mkdir()
    assert find_archive(photos / "trip").root == photos / "trip"


def test_search_for_an_archive_ends_below_a_folder_of_another_owner(photos, monkeypatch):
    index(photos)
    real = Path.stat

    def stat(path, **options):
        facts = list(real(path, **options))
        facts[4] += path == photos  # the user's number
        return os.stat_result(facts)

    assert find_archive(photos / "trip").root == photos
    monkeypatch.setattr(Path, "stat", stat)
    assert find_archive(photos / "trip").root == photos / "trip"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_search_for_an_archive_ends_below_a_folder_that_root_gave_away(photos):
    index(photos)
    os.chown(photos, 12_345, -1)
    assert find_archive(photos / "trip").root == photos / "trip"


def test_search_for_an_archive_ends_at_a_mount_point(photos, mount_namespace):
    index(photos)
    script = (
        'mount -t tmpfs none "$1/trip" && mkdir -p "$1/trip/day"'
        ' && "$2" -c "$3" "$1/trip/day" "$1/trip"'
        ' && mkdir "$1/trip/.memery" && touch "$1/trip/.memery/store.sqlite3"'
        ' && "$2" -c "$3" "$1/trip/day"'
    )
    start = [*mount_namespace, "sh", "-c", script, "sh", photos, sys.executable, FIND]
    done = run_process(start)
    roots = [line.split("|")[0] for line in done.stdout.splitlines()]
    trip = str(photos / "trip")
    assert roots == [f"{trip}/day", trip, trip]


def test_archive_of_a_network_file_system_is_in_the_cache(tmp_path, mount_namespace):
    mount = tmp_path / "two words\nand a line"
    mount.mkdir()
    code = """
import sys
from pathlib import Path
from memery import archive
from memery.archive import network_mounts
for kinds in ({"tmpfs"}, {"nfs"}):
    network_mounts._NETWORK_FILE_SYSTEMS = kinds
    for folder in (Path(sys.argv[1]), Path(sys.argv[1], "photos")):
        print(archive.find_archive(folder).folder.is_relative_to(folder))
"""
    script = 'mount -t tmpfs none "$1" && mkdir "$1/photos" && exec "$2" -c "$3" "$1"'
    done = run_process([*mount_namespace, "sh", "-c", script, "sh", mount, sys.executable, code])
    assert done.stdout.split() == ["False", "False", "True", "True"]


def test_archive_of_a_read_only_folder_is_in_the_cache(photos, cache):
    link = photos.parent / "link"
    link.symlink_to(photos)
    photos.chmod(0o555)
    (photos / "trip").chmod(0o555)
    try:
        found = found_by_ordinary_user(photos, link, photos / "trip")
    finally:
        photos.chmod(0o755)
        (photos / "trip").chmod(0o755)
    assert [root for root, _, _ in found] == [str(photos), str(photos), str(photos / "trip")]
    assert all(Path(folder).is_relative_to(cache) for _, folder, _ in found)
    assert found[0] == found[1]
    assert found[0][1] != found[2][1]


def test_archive_above_that_is_read_only_is_not_used(photos):
    index(photos)
    (photos / ".memery").chmod(0o555)
    try:
        (found,) = found_by_ordinary_user(photos / "trip")
    finally:
        (photos / ".memery").chmod(0o755)
    assert found[0] == str(photos / "trip")


def test_given_archive_is_used_in_place_of_all_others(photos, tmp_path, monkeypatch):
    index(photos)
    elsewhere = tmp_path / "elsewhere"
    found = find_archive(photos / "trip", elsewhere)
    assert found == Archive(photos / "trip", elsewhere)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_archive(photos, Path("~/elsewhere")).folder == elsewhere
    monkeypatch.chdir(tmp_path)
    assert find_archive("photos", Path("elsewhere")) == Archive(photos, elsewhere)


def test_rejects_given_archive_that_is_a_file(photos, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveError, match="is a file"):
        find_archive(photos, tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is empty"),
        ("missing", "folder missing does not exist"),
        ("file", "is a file"),
        ("file/below", "does not exist"),
        ("loop", "cannot be read"),
        ("a\0b", "cannot be read"),
        ("n" * 5000, "cannot be read"),
        ("~nobody-here", "cannot be read"),
    ],
)
def test_rejects_folder_that_cannot_be_searched(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("loop").symlink_to("loop")
    with pytest.raises(FolderError, match=message):
        find_archive(name)


def test_archive_is_invisible_to_git_and_leaves_an_ignore_file_alone(photos):
    archive = find_archive(photos)
    archive.create()
    ignore = photos / ".memery" / ".gitignore"
    assert ignore.read_text() == "*\n"
    ignore.write_text("mine")
    archive.create()
    assert ignore.read_text() == "mine"


@pytest.mark.parametrize("name", ["store.sqlite3", "lock", "decoding", ".gitignore"])
def test_rejects_archive_in_which_a_folder_takes_the_place_of_a_file(photos, name):
    (photos / ".memery" / name).mkdir(parents=True)
    with pytest.raises(ArchiveError, match=f"{name} is not a regular file"):
        find_archive(photos).exists()


def test_second_writer_is_refused_and_told_who_writes(photos):
    code = (
        "import sys\n"
        "from memery.archive import find_archive\n"
        "from memery.errors import ArchiveLocked\n"
        "try:\n"
        "    with find_archive(sys.argv[1]).lock(): print('locked')\n"
        "except ArchiveLocked as error: print(error.holder)\n"
    )
    archive = find_archive(photos)
    with archive.lock():
        assert archive.holder() == os.getpid()
        assert run_python("-c", code, photos).stdout == f"{os.getpid()}\n"
        with pytest.raises(ArchiveLocked, match=str(os.getpid())), archive.lock():
            pass
    assert archive.holder() is None
    assert run_python("-c", code, photos).stdout == "locked\n"


def test_note_of_a_killed_writer_is_not_believed(photos):
    archive = find_archive(photos)
    archive.create()
    (archive.folder / "lock.pid").write_text("123")
    assert archive.holder() is None


def test_mark_is_seen_until_it_is_taken_away(photos):
    archive = find_archive(photos)
    assert not archive.is_marked
    archive.mark()  # there is no folder yet
    assert not archive.is_marked
    archive.create()
    archive.mark()
    archive.mark()
    assert archive.is_marked
    archive.unmark()
    archive.unmark()
    assert not archive.is_marked


def test_purge_below_the_root_is_refused(photos):
    index(photos)
    with pytest.raises(ArchiveError, match=f"memery purge {photos}"):
        find_archive(photos / "trip").purge()
    assert (photos / ".memery" / "store.sqlite3").exists()


def test_purge_deletes_the_archive_and_no_image(photos):
    image = paint(photos / "red.png")
    archive = find_archive(photos)
    archive.create()
    archive.store.touch()
    archive.mark()
    (archive.index / f"{'0' * 32}-1-1").mkdir(parents=True)
    archive.thumbnails.mkdir()
    (archive.thumbnails / f"{'0' * 64}-256.webp").touch()
    archive.purge()
    assert not archive.folder.exists()
    assert image.exists()


def test_purge_leaves_files_that_are_not_of_memery(photos):
    archive = find_archive(photos)
    archive.create()
    kept = [archive.folder / "mine.txt", archive.thumbnails / "mine.webp", archive.index / "mine"]
    for file in kept:
        file.parent.mkdir(exist_ok=True)
        file.touch()
    archive.store.touch()
    archive.purge()
    assert not archive.store.exists()
    assert all(file.exists() for file in kept)


def test_archive_kept_elsewhere_is_found_when_its_folder_is_gone(photos, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    archive = find_archive(photos, elsewhere)
    archive.create()
    archive.store.touch()
    assert find_orphan(photos, elsewhere) is None  # the folder is there
    gone = tmp_path / "gone"
    assert find_orphan(gone, elsewhere) == Archive(gone, elsewhere)
    assert find_orphan(tmp_path / "no" / ".." / "gone", elsewhere) == Archive(gone, elsewhere)
    assert find_orphan(gone, tmp_path / "nowhere") is None
    assert find_orphan("", elsewhere) is None


def test_thumbnails_of_a_linked_folder_are_not_of_the_archive(photos, tmp_path):
    archive = find_archive(photos)
    archive.create()
    name = f"{'0' * 64}-256.webp"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / name).touch()
    archive.thumbnails.symlink_to(tmp_path / "other")
    assert list(archive.kept_thumbnails()) == []
    archive.thumbnails.unlink()
    archive.thumbnails.mkdir()
    (archive.thumbnails / name).touch()
    (archive.thumbnails / "mine.webp").touch()
    assert [file.name for file in archive.kept_thumbnails()] == [name]


def test_files_of_version_0_1_are_seen(photos):
    (photos / "memery.pt").touch()
    (photos / "memery.ann").mkdir()
    assert find_archive(photos).seed_files() == [photos / "memery.pt"]
