"""What the Loader looks at, and what it leaves out."""

import os
from pathlib import Path

import pytest

from memery import assembly
from memery.archive import Archive
from memery.config import Config
from memery.imaging.exclusions import UNSUPPORTED_EXTENSIONS, describe_excluded
from memery.imaging.files import modified_ns
from memery.imaging.formats import EXTENSIONS
from memery.testing import ColourModel, MemoryStore
from support.images import paint


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "photos"
    place.mkdir()
    return place


def load(folder, **settings):
    archive = Archive(folder, folder / ".memery")
    x = assembly.assemble(archive, Config(**settings), MemoryStore(), ColourModel())
    return x.loader.load(x.encoder.space)


def names(changes):
    return sorted(entry.path for entry in changes.new)


def test_finds_extensions_in_any_case_and_none_at_all(folder):
    for name in (
        "a.jpg",
        "B.PNG",
        "c.JpEg",
        "d",
        "e.txt",
        "f.svg",
        "g.tar.gz",
        ".h.png",
        ".DS_Store",
    ):
        paint(folder / name)
    assert names(load(folder)) == ["B.PNG", "a.jpg", "c.JpEg", "d"]


def test_applies_ignore_patterns_as_git_does(folder):
    for name in ("a.png", "keep/b.png", "drop/c.png", "x/drop/d.png", "x/e.jpg", "x/f.jpg"):
        paint(folder / name)
    (folder / ".memeryignore").write_text("# notes\ndrop/\n*.jpg\n!f.jpg\n/a.png\n")
    assert names(load(folder)) == ["keep/b.png", "x/f.jpg"]


def test_leaves_out_hidden_folders(folder):
    for name in (".thumbnails/a.png", "b/.cache/c.png", ".memery/d.png", "b/e.png"):
        paint(folder / name)
    assert names(load(folder)) == ["b/e.png"]


def test_scans_tree_two_hundred_folders_deep(folder):
    path = "/".join(["d"] * 200) + "/deep.png"
    paint(folder / path)
    assert names(load(folder)) == [path]


def test_skips_name_too_long_for_the_system(folder):
    paint(folder / "near.png")
    start = os.open(".", os.O_RDONLY)
    os.chdir(folder)
    try:
        for _ in range(20):
            Path("L" * 250).mkdir()
            os.chdir("L" * 250)
    finally:
        os.fchdir(start)
        os.close(start)
    changes = load(folder)
    assert names(changes) == ["near.png"]
    assert [skip.reason for skip in changes.skips] == ["name too long"]


def test_counts_links_and_ends_loops(folder, tmp_path):
    paint(folder / "real.png")
    paint(tmp_path / "elsewhere" / "far.png")
    (folder / "link.png").symlink_to("real.png")
    (folder / "broken.png").symlink_to("nowhere.png")
    (folder / "loop").symlink_to(folder)
    (folder / "far").symlink_to(tmp_path / "elsewhere")
    changes = load(folder)
    assert (names(changes), changes.links) == (["real.png"], 4)
    followed = load(folder, follow_links=True)
    assert names(followed) == ["far/far.png", "link.png", "real.png"]


SYSTEM = ("@eaDir", "#recycle", "$RECYCLE.BIN", "$Recycle.Bin", "__MACOSX", "lost+found")


def test_leaves_out_and_counts_folders_of_other_programs(folder):
    paint(folder / "a.png")
    for name in SYSTEM:
        paint(folder / "trip" / name / "deep" / "b.png")
    paint(folder / "@eaDir" / "c.png")
    paint(folder / ".Trash-1000" / "files" / "d.png")
    changes = load(folder)
    assert names(changes) == ["a.png"]
    expected = {"@eaDir": 2, "#recycle": 1, "$RECYCLE.BIN": 2, "__MACOSX": 1, "lost+found": 1}
    assert changes.excluded.folders == expected | {".Trash-1000": 1}
    (sentence,) = describe_excluded(changes.excluded)
    assert sentence.startswith("8 folders excluded: #recycle (1), $RECYCLE.BIN (2), ")


def test_leaves_out_folders_with_a_nomedia_file_and_all_below(folder):
    for name in ("a.png", "sent/b.png", "sent/deep/c.png", "trip/d.png"):
        paint(folder / name)
    (folder / "sent" / ".nomedia").touch()
    changes = load(folder)
    assert (names(changes), changes.excluded.folders) == (["a.png", "trip/d.png"], {".nomedia": 1})
    (folder / ".nomedia").touch()  # the folder that was named is always looked at
    assert names(load(folder)) == ["a.png", "trip/d.png"]
    part = Archive(folder, folder / ".memery", "sent")
    x = assembly.assemble(part, Config(), MemoryStore(), ColourModel())
    assert names(x.loader.load(x.encoder.space)) == ["sent/b.png", "sent/deep/c.png"]


def test_negated_pattern_includes_what_is_left_out_by_default(folder):
    for name in ("@eaDir/a.png", "#recycle/b.png", "sent/c.png", "other/d.png", "other/e.jpg"):
        paint(folder / name)
    for name in ("sent", "other"):
        (folder / name / ".nomedia").touch()
    (folder / ".memeryignore").write_text("*.jpg\n!@eaDir/\n!sent/\n")
    changes = load(folder)
    assert names(changes) == ["@eaDir/a.png", "sent/c.png"]
    assert changes.excluded.folders == {"#recycle": 1, ".nomedia": 1}


def test_counts_files_that_cannot_be_read_by_kind(folder):
    for name in (
        "a.CR2",
        "b.nef",
        "c.jxl",
        "d.mp4",
        "e.svg",
        "f.txt",
        ".g.cr3",
        "h/i.dng",
        "j.psd",
    ):
        paint(folder / name)
    (folder / "video.mov").mkdir()
    (folder / ".memeryignore").write_text("*.psd\n")
    excluded = load(folder).excluded
    assert excluded.files == {"cr2": 1, "nef": 1, "dng": 1, "jxl": 1, "mp4": 1, "svg": 1}
    assert sorted(describe_excluded(excluded), reverse=True) == [
        "3 RAW files (.cr2, .dng, .nef) cannot be read: export them as JPEG.",
        "1 video file (.mp4) cannot be read: extract frames as JPEG.",
        "1 SVG file (.svg) cannot be read: export it as PNG.",
        "1 JPEG XL file (.jxl) cannot be read: convert it to JPEG or PNG.",
    ]


def test_no_extension_is_both_readable_and_unreadable():
    assert not EXTENSIONS & UNSUPPORTED_EXTENSIONS


def test_does_not_read_what_is_not_a_file(folder):
    paint(folder / "a.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    assert names(load(folder)) == ["a.png"]


def test_lists_newest_first(folder):
    for age, name in enumerate(("new.png", "old.png", "older.png")):
        paint(folder / name)
        os.utime(folder / name, (1_700_000_000 - age, 1_700_000_000 - age))
    assert [entry.path for entry in load(folder).pending_files] == [
        "new.png",
        "old.png",
        "older.png",
    ]


def test_does_not_scan_an_archive_inside_the_folder(folder):
    paint(folder / "a.png")
    paint(folder / "mine" / "b.png")
    archive = Archive(folder, folder / "mine")
    x = assembly.assemble(archive, Config(), MemoryStore(), ColourModel())
    assert names(x.loader.load(x.encoder.space)) == ["a.png"]


@pytest.mark.parametrize("beyond", [1 << 63, 1 << 90, -(1 << 63) - 1, -(1 << 90)])
def test_limits_times_to_64_bits(beyond):
    def stat(ns):
        return os.stat_result((0o100644, 1, 1, 1, 0, 0, 5, 0, 0, 0), {"st_mtime_ns": ns})

    near = modified_ns(stat(beyond))
    assert near == modified_ns(stat(2 * beyond))
    assert (near > 0) == (beyond > 0)
    for stored in (near, near - 1):  # the second marks a file that is still being written
        stored.to_bytes(8, "big", signed=True)
    assert modified_ns(stat(-1)) == -1
