"""Faults that happen to people: power cuts, full disks, many processes, folders not one's own."""

import json
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest

from memery import Memery, index_flow
from memery.errors import ArchiveError
from memery.stores.sqlite import connections
from support.archives import count_rows
from support.commands import (
    as_an_ordinary_user,
    isolated_environment,
    run_command,
    run_process,
    run_python,
    start_command,
)
from support.images import paint


@pytest.fixture
def environment(tmp_path):
    return isolated_environment(tmp_path, MEMERY_BATCH_SIZE="4")


def paint_many(folder, count):
    """Fill a folder with images of random colours, the same ones each time."""
    generator = random.Random(0)
    for number in range(count):
        shade = tuple(generator.randrange(256) for _ in range(3))
        paint(folder / f"{number:03}.png", shade, (20 + number, 20))
    return folder


def embeddings(folder):
    """Digest → vector of everything that is committed."""
    db = sqlite3.connect(folder / ".memery" / "store.sqlite3")
    try:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        torn = "SELECT count(*) FROM files WHERE content NOT IN (SELECT content FROM embeddings)"
        assert db.execute(torn).fetchone() == (0,)
        rows = db.execute(
            "SELECT hex(digest), vector FROM embeddings JOIN contents ON contents.id = content"
        ).fetchall()
    finally:
        db.close()
    return {digest: np.frombuffer(vector, "<f2").astype(np.float64) for digest, vector in rows}


@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_power_cuts_lose_nothing_that_was_committed(tmp_path, environment, kills):
    """Kill builds at random instants: nothing committed is lost, nothing is wrong.

    Every second one is killed once it has committed something, however slow the machine is, and
    there are more kills until one has hit a build between two commits.
    """
    undisturbed = paint_many(tmp_path / "undisturbed", 120)
    run_command("build", undisturbed, env=environment)
    expected = embeddings(undisturbed)
    photos = paint_many(tmp_path / "photos", 120)
    generator = random.Random(1)
    slow = environment | {"COLOURS_SECONDS": "0.04", "MEMERY_BATCH_SIZE": "20"}
    whole_batches = {0, 8, *range(8 + 16, len(expected), 20)}  # the first batches are small
    kept = {}
    number = cut = 0
    while number < kills or not cut:
        number += 1
        with start_command("build", photos, env=slow, stdout=subprocess.DEVNULL) as build:
            if number % 2:
                time.sleep(generator.uniform(0.15, 0.75))
            else:
                while build.poll() is None and count_rows(photos) <= len(kept):
                    time.sleep(0.01)
                time.sleep(generator.uniform(0, 0.1))
            build.kill()
        if (photos / ".memery" / "store.sqlite3").exists():
            now = embeddings(photos) if _has_tables(photos) else {}
            assert kept.keys() <= now.keys()
            assert len(now) - len(kept) in whole_batches or len(now) == len(expected)
            cut += len(kept) < len(now) < len(expected)
            kept = now
            if len(kept) == len(expected):  # begin again, so that every kill hits a build
                run_command("purge", photos, "--yes", env=environment)
                kept = {}
    run_command("build", photos, env=environment)
    final = embeddings(photos)
    assert final.keys() == expected.keys()
    for digest, vector in expected.items():
        cosine = vector @ final[digest] / np.linalg.norm(vector) / np.linalg.norm(final[digest])
        assert cosine >= 0.99999


def _has_tables(folder):
    db = sqlite3.connect(folder / ".memery" / "store.sqlite3")
    try:
        return bool(db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'embeddings'").fetchone())
    finally:
        db.close()


@pytest.mark.slow
def test_readers_see_whole_batches_during_a_build(tmp_path, environment):
    photos = paint_many(tmp_path / "photos", 4)
    run_command("build", photos, env=environment)
    paint_many(photos, 60)
    slow = environment | {"COLOURS_SECONDS": "0.15"}
    words = ("recall", photos, "red", "--no-index", "-n", "100", "--format", "json")
    with start_command("build", photos, env=slow, stdout=subprocess.DEVNULL) as build:
        last, rounds = 0, 0
        while build.poll() is None:
            readers = [
                start_command(
                    *words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
                )
                for _ in range(8)
            ]
            totals = []
            for reader in readers:
                out, err = reader.communicate()
                assert reader.returncode == 0, err
                answer = json.loads(out)
                assert len(answer["hits"]) == answer["total"]
                assert answer["total"] % 4 == 0
                totals.append(answer["total"])
            assert min(totals) >= last
            last, rounds = min(totals), rounds + 1
    assert build.returncode == 0
    assert rounds >= 1


SMALL_DISK = """
mount -t tmpfs -o size=20m none "$2" || exit 99
dd if=/dev/zero of="$2/filler" bs=1k count=20080 2>/dev/null
"$0" -m memery build "$1" --archive "$2/a"; echo "full: $?"
"$0" -m memery recall "$1" red --archive "$2/a" --no-index -n 1 --format paths; echo "recall: $?"
rm "$2/filler"
"$0" -m memery build "$1" --archive "$2/a" --verify; echo "roomy: $?"
"""


@pytest.mark.slow
def test_full_disk_keeps_what_was_committed(tmp_path, environment, mount_namespace):
    """A real small disk, in a separate mount namespace: any user may have one."""
    photos = paint_many(tmp_path / "photos", 120)
    (tmp_path / "disk").mkdir()
    environment["MEMERY_MODEL"] = "starter"
    for name in [name for name in environment if name.startswith("COVERAGE_")]:
        del environment[name]
    arguments = (sys.executable, photos, tmp_path / "disk")
    done = run_process([*mount_namespace, "sh", "-c", SMALL_DISK, *arguments], env=environment)
    assert "disk is full" in done.stderr
    assert "full: 3\n" in done.stdout
    assert "recall: 0\n" in done.stdout
    assert "120 images searchable" in done.stdout
    assert "roomy: 0\n" in done.stdout


@pytest.mark.slow
def test_file_size_limit_ends_a_build_and_the_next_one_completes_it(tmp_path, environment):
    """What a quota does: writes fail at a point of their own."""
    photos = paint_many(tmp_path / "photos", 40)
    environment["MEMERY_MODEL"] = "starter"
    for name in [name for name in environment if name.startswith("COVERAGE_")]:
        del environment[name]  # the limit would hit the measurement's own file too

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000))

    done = run_command("build", photos, env=environment, preexec_fn=limit, check=3)
    assert "memery:" in done.stderr
    run_command("build", photos, env=environment)
    assert len(embeddings(photos)) == 40


def test_unwritable_folder_has_its_archive_in_the_cache(tmp_path, environment):
    photos = paint_many(tmp_path / "photos", 3)
    (photos / "private.png").write_bytes((photos / "000.png").read_bytes())
    (photos / "private.png").chmod(0)
    (photos / "locked").mkdir(mode=0)
    photos.chmod(0o555)
    try:
        done = run_command("recall", photos, "red", env=environment, preexec_fn=as_an_ordinary_user)
        state = run_command(
            "status",
            photos,
            "--format",
            "json",
            env=environment,
            preexec_fn=as_an_ordinary_user,
        )
    finally:
        photos.chmod(0o755)
        (photos / "locked").chmod(0o755)
    assert done.stdout.count("\n") == 4
    assert not (photos / ".memery").exists()
    told = json.loads(state.stdout)
    assert told["archive"].startswith(str(tmp_path / "cache"))
    assert {(skip["path"], skip["reason"]) for skip in told["skipped"]} == {
        ("private.png", "forbidden"),
        ("locked", "forbidden"),
    }


def test_reports_unreadable_folder(tmp_path, environment):
    photos = paint_many(tmp_path / "photos", 1)
    photos.chmod(0)
    try:
        done = run_command(
            *("recall", photos, "red"), check=3, env=environment, preexec_fn=as_an_ordinary_user
        )
    finally:
        photos.chmod(0o755)
    assert "cannot be read" in done.stderr


def test_keeps_images_of_an_unreadable_subfolder(tmp_path, environment):
    photos = paint_many(tmp_path / "photos", 2)
    paint_many(photos / "trip", 3)
    run_command("build", photos, env=environment)
    (photos / "trip").chmod(0)
    try:
        done = run_command(
            "build",
            photos,
            "--format",
            "json",
            env=environment,
            preexec_fn=as_an_ordinary_user,
        )
    finally:
        (photos / "trip").chmod(0o755)
    report = json.loads(done.stdout)
    assert (report["removed"], report["searchable"]) == (0, 5)


def test_opens_no_image_when_nothing_changed(tmp_path, environment):
    photos = paint_many(tmp_path / "photos", 3)
    run_command("build", photos, env=environment)
    code = (
        "import sys\n"
        "opened = []\n"
        "sys.addaudithook(lambda e, a: opened.append(str(a[0])) if e == 'open' else None)\n"
        "from memery import index_flow\n"
        f"assert index_flow({str(photos)!r}).unchanged == 3\n"
        "print(sum(name.endswith('.png') for name in opened))\n"
    )
    done = run_python("-c", code, env=environment)
    assert done.stdout == "0\n"


FULL_DISK = """
mount -t tmpfs -o size=1m none "$2" || exit 99
"$0" -m memery recall "$1" red --archive "$2/a" -n 1 --format paths; echo "indexed: $?"
cp "$3" "$1/new.png"
dd if=/dev/zero of="$2/filler" bs=4096 2>/dev/null
"$0" -m memery recall "$1" red --archive "$2/a" -n 1 --format paths; echo "full: $?"
"$0" -m memery duplicates "$1" --archive "$2/a" -q --format paths; echo "duplicates: $?"
"$0" -m memery recall "$1" red --archive "$2/a" --ext gif -q --format paths; echo "none: $?"
"$0" -m memery recall "$1" red --archive "$2/b" -q --format paths; echo "never indexed: $?"
"$0" -m memery build "$1" --archive "$2/a" -q; echo "build: $?"
rm "$2/filler"
mount -o remount,bind,ro "$2" || exit 99
"$0" -m memery recall "$1" red --archive "$2/a" -n 1 --format paths; echo "read-only: $?"
"$0" -m memery status "$1" --archive "$2/a" > /dev/null; echo "status: $?"
mount -o remount,bind,rw "$2" || exit 99
"$0" -m memery recall "$1" red --archive "$2/a" -n 1 --format paths; echo "roomy: $?"
"""


@pytest.mark.slow
def test_recall_that_cannot_index_answers_from_what_is_committed(
    tmp_path, environment, mount_namespace
):
    """A disk that is full, then read-only: a real one, in a separate mount namespace."""
    photos = paint_many(tmp_path / "photos", 4)
    (tmp_path / "disk").mkdir()
    paint(tmp_path / "red.png", (220, 30, 30), (30, 30))
    for name in [name for name in environment if name.startswith("COVERAGE_")]:
        del environment[name]
    arguments = (sys.executable, photos, tmp_path / "disk", tmp_path / "red.png")
    command = [*mount_namespace, "sh", "-c", FULL_DISK, *arguments]
    done = run_process(command, env=environment)
    old = done.stdout.splitlines()[0]
    new = f"{photos}/new.png"
    assert done.stdout.splitlines() == [
        *(old, "indexed: 0", old, "full: 0", "duplicates: 1", "none: 1"),
        *("never indexed: 3", "build: 3", old, "read-only: 0", "status: 0", new, "roomy: 0"),
    ], done.stderr
    assert "disk is full" in done.stderr
    assert done.stderr.count("The results come from the last index.") == 2


def test_searches_read_only_archive(tmp_path, environment):
    photos, archive = paint_many(tmp_path / "photos", 4), tmp_path / "archive"
    run_command("build", photos, "--archive", archive, env=environment)
    paint(photos / "new.png", (220, 30, 30), (30, 30))
    for file in archive.iterdir():
        file.chmod(0o555 if file.is_dir() else 0o444)
    archive.chmod(0o555)
    words = ("recall", photos, "red", "--archive", archive, "--format", "paths")
    try:
        done = run_command(*words, env=environment, preexec_fn=as_an_ordinary_user)
    finally:
        archive.chmod(0o755)
    assert done.stdout.count("\n") == 4
    assert "new.png" not in done.stdout
    assert "The results come from the last index." in done.stderr
    assert not (archive / "store.sqlite3-wal").exists()


def test_store_opened_on_a_full_disk_sees_later_commits(tmp_path, monkeypatch):
    """As a server does: its store stays open."""
    for name in ("MEMERY_CONFIG", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    photos = paint_many(tmp_path / "photos", 4)
    index_flow(photos, model="colours")
    real, is_full = connections._open, [True]

    def failing(address, file, **how):
        if is_full[0] and "mode=rw" in address:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
            raise error
        return real(address, file, **how)

    monkeypatch.setattr(connections, "_open", failing)
    with Memery(photos, model="colours") as memery:
        paint_many(photos, 5)
        assert memery.recall("red", refresh=True).total == 4
        with pytest.raises(ArchiveError, match="read-only"):
            memery.build()
        is_full[0] = False
        index_flow(photos, model="colours")
        assert memery.recall("red").total == 5
        paint_many(photos, 6)
        assert memery.build().searchable == 6


def test_does_not_call_an_empty_database_old_if_it_cannot_be_written(tmp_path, monkeypatch):
    """A build on a full disk leaves one: its tables did not fit."""
    file = tmp_path / "store.sqlite3"
    file.touch()
    real = connections._open

    def read_only(address, file, **how):
        if "mode=rw" in address:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return real(address, file, **how)

    monkeypatch.setattr(connections, "_open", read_only)
    with pytest.raises(ArchiveError, match="read-only"):
        connections.connect(file)
