"""Duplicates as a user meets them: through the command, and through the library."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from memery import Memery, assembly
from memery.archive import find_archive
from memery.config import Config
from memery.errors import ArchiveMissing
from memery.executors.deduplicator.verification import verify_pairs
from memery.imaging.perceptual_hash import duplicate_signature, unpack_signatures
from memery.stores.records import RecognizedText
from memery.types import Line
from support.commands import run_command


def scene(seed, size=(240, 180)):
    """An image with broad shapes and detail, a different one for each seed."""
    rng = np.random.default_rng(seed)
    broad = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)).resize(size)
    fine = Image.fromarray(rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)).resize(size)
    return Image.blend(broad, fine, 0.4)


pytestmark = pytest.mark.usefixtures("colours")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "trip").mkdir(parents=True)
    for seed in range(4):
        scene(seed).save(folder / f"{seed}.png")
    shutil.copy(folder / "0.png", folder / "trip" / "again.png")
    scene(0).resize((120, 90)).save(folder / "trip" / "small.jpg", quality=80)
    ImageOps.mirror(scene(1)).save(folder / "mirrored.jpg", quality=80)
    scene(2).rotate(90, expand=True).resize((360, 480)).save(folder / "turned.jpg", quality=80)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    for number, path in enumerate(sorted(folder.rglob("*.*"))):
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    return folder


def run(*words, **options):
    return run_command("duplicates", *words, **options)


def found(groups):
    return [[copy.path for copy in group] for group in groups]


NEAR = [["0.png", "trip/again.png", "trip/small.jpg"], ["1.png", "mirrored.jpg"]]


def test_groups_begin_with_the_best_copy(photos):
    with Memery(photos) as memery:
        groups = memery.duplicates(refresh=True)
    assert found(groups) == [*NEAR, ["turned.jpg", "2.png"]]
    first = groups[0]
    assert first.best is first[0]
    assert [copy.exact for copy in first] == [True, True, False]
    with Image.open(first.others[1]) as image:
        assert image.size == (120, 90)


def test_images_with_different_texts_are_not_duplicates(photos):
    with Memery(photos, read_text=False) as memery:
        memery.build()
        ((_, again, small), _, _) = memery.duplicates()
    store = assembly.open_store(find_archive(photos), Config())

    def say(*texts):
        with store.writing() as writer:
            writer.commit_texts(
                [
                    RecognizedText(copy.image.digest, "tests 1", (Line(text, 0.9, (0, 0, 1, 1)),))
                    for copy, text in zip((again, small), texts, strict=True)
                ]
            )
        with Memery(photos) as memery:
            return ["trip/small.jpg" in [copy.path for copy in g] for g in memery.duplicates()]

    assert not any(say("when you see the bill", "nobody expects monday mornings"))
    assert any(say("when you see the bill", "WHEN YOU SEE the hill"))
    assert any(say("when you see the bill", "(c) photos inc"))
    store.close()


def test_finds_exact_copies_in_part_of_the_folder(photos):
    with Memery(photos) as memery:
        memery.build()
        assert found(memery.duplicates(exact_only=True)) == [["0.png", "trip/again.png"]]
    with Memery(photos / "trip") as memery:
        assert found(memery.duplicates(refresh=True)) == [["again.png", "small.jpg"]]


def test_names_moved_file_by_its_new_path(photos):
    with Memery(photos) as memery:
        memery.build()
        (photos / "mirrored.jpg").rename(photos / "trip" / "moved.jpg")
        assert ["1.png", "trip/moved.jpg"] in found(memery.duplicates(refresh=True))


def test_rejects_folder_without_archive_unless_it_is_scanned(photos):
    with Memery(photos) as memery, pytest.raises(ArchiveMissing):
        memery.duplicates()


def test_table_names_every_copy(photos):
    result = run(photos)
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[0] == ["Group", "Copy", "Pixels", "Size", "Date", "Path"]
    assert [row[1] for row in rows[1:4]] == ["best", "exact", "near"]
    assert "Nothing was deleted" in result.stderr


def test_list_leaves_out_the_best_copies(photos):
    result = run(photos, "--format", "paths0", "-q")
    names = ["trip/again.png", "trip/small.jpg", "mirrored.jpg", "2.png"]
    assert result.stdout == "".join(f"{photos / name}\0" for name in names)
    assert result.stderr == ""
    assert sorted(path.name for path in photos.rglob("*.png")) == [
        "0.png", "1.png", "2.png", "3.png", "again.png",
    ]  # fmt: skip


def test_names_a_folder_without_images_and_one_without_copies(photos):
    missing = run(photos, "--under", "tripp", check=1)
    assert "No indexed image is in the folder 'tripp'." in missing.stderr
    unique = run(photos, "--under", "trip", "--no-index", "--exact", check=1)
    assert f"No duplicates in {photos / 'trip'}." in unique.stderr


def test_prints_part_of_the_folder_as_json(photos):
    run(photos, "-q")
    result = run(photos, "--under", "trip", "--no-index", "--exact", "--format", "json", check=1)
    assert json.loads(result.stdout) == {"groups": []}
    result = run(photos, "--no-index", "--format", "json")
    group = json.loads(result.stdout)["groups"][0]
    assert group["best"] == "0.png"
    assert [copy["exact"] for copy in group["copies"]] == [True, True, False]
    assert group["copies"][2]["width"] == 120
    assert {copy["date_source"] for copy in group["copies"]} == {"file"}


def test_empty_and_missing_folders_have_their_exit_codes(tmp_path):
    result = run(tmp_path, check=1)
    assert result.stdout == ""
    assert "No duplicates in" in result.stderr
    run(tmp_path / "none", check=3)


@pytest.mark.parametrize("seed", range(3))
def test_perceptual_hash_survives_changes_and_tells_scenes_apart(seed):
    original = scene(seed)
    small = original.resize((96, 72))
    cut = original.crop((10, 4, 232, 172))
    soft = original.filter(ImageFilter.GaussianBlur(1))
    seen = [original, soft, small, cut, original.rotate(270, expand=True), scene(seed + 10)]
    hashes, miniatures = unpack_signatures([duplicate_signature(picture) for picture in seen])
    assert np.bitwise_count(hashes[0] ^ hashes[1]).max() <= 6
    pairs = np.array([(0, row) for row in range(1, len(seen))])
    assert verify_pairs(miniatures, pairs).tolist() == [True, True, True, True, False]


def test_plain_colour_matches_nothing():
    _, miniatures = unpack_signatures(
        [duplicate_signature(Image.new("RGB", (90, 60), c)) for c in ("red", "blue")]
    )
    assert not verify_pairs(miniatures, np.array([(0, 1)])).any()


def remove_what_is_listed(folder, *words):
    """What users do with the list: `memery duplicates … --format paths0 | xargs -0 rm`."""
    listed = run(folder, *words, "--format", "paths0", "-q", check=(0, 1)).stdout.split("\0")[:-1]
    for path in listed:
        Path(path).unlink()
    return listed


@pytest.fixture
def one_file(tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    scene(7).save(folder / "real.png")
    os.utime(folder / "real.png", (1_700_000_000, 1_700_000_000))
    return folder


def build_following_links(folder):
    with Memery(folder, follow_links=True) as memery:
        memery.build()


@pytest.mark.parametrize("words", [(), ("--exact",)])
def test_link_is_not_a_copy_of_its_target(one_file, words):
    (one_file / "a link.png").symlink_to("real.png")
    (one_file / "album").symlink_to(".", target_is_directory=True)
    build_following_links(one_file)
    assert remove_what_is_listed(one_file, *words) == []
    assert (one_file / "real.png").is_file()


def test_hard_links_are_not_copies_of_each_other(one_file):
    os.link(one_file / "real.png", one_file / "same.png")
    with Memery(one_file) as memery:
        assert memery.duplicates(refresh=True) == ()


def test_keeps_a_file_rather_than_a_link(one_file, tmp_path):
    elsewhere = tmp_path / "elsewhere.png"
    shutil.copy2(one_file / "real.png", elsewhere)
    (one_file / "a link.png").symlink_to(elsewhere)
    build_following_links(one_file)
    assert remove_what_is_listed(one_file) == [str(one_file / "a link.png")]
    assert (one_file / "real.png").is_file()
    assert elsewhere.is_file()


def test_links_do_not_hide_true_copies(one_file):
    shutil.copy2(one_file / "real.png", one_file / "copy.png")
    for number, name in enumerate(("real", "copy")):
        (one_file / f"{number} link.png").symlink_to(f"{name}.png")
    scene(7).resize((120, 90)).save(one_file / "small.jpg", quality=80)
    (one_file / "small link.jpg").symlink_to("small.jpg")
    build_following_links(one_file)
    with Memery(one_file) as memery:
        assert found(memery.duplicates()) == [["copy.png", "real.png", "small.jpg"]]


@pytest.mark.parametrize("lost", ["0.png", "trip/again.png"])
def test_does_not_list_copy_that_is_gone_or_changed(photos, lost):
    with Memery(photos) as memery:
        memery.build()
        scene(9).save(photos / lost)
        assert memery.duplicates(exact_only=True) == ()
        (photos / lost).unlink()
        assert memery.duplicates(exact_only=True) == ()


def test_lists_copy_of_which_only_the_date_changed(photos):
    with Memery(photos) as memery:
        memery.build()
        (photos / "0.png").touch()
        assert found(memery.duplicates(exact_only=True)) == [["0.png", "trip/again.png"]]


def test_damaged_copy_is_never_the_best(tmp_path):
    """It may have as many pixels, more bytes and an older date; a smaller whole one is kept too."""
    folder = tmp_path / "damaged"
    folder.mkdir()
    scene(7).save(folder / "real.jpg", quality=90)
    data = (folder / "real.jpg").read_bytes()
    (folder / "a damaged.jpg").write_bytes(data[: int(len(data) * 0.98)] + bytes(len(data)))
    os.utime(folder / "a damaged.jpg", (1_600_000_000, 1_600_000_000))
    with Memery(folder) as memery:
        ((best, other),) = memery.duplicates(refresh=True)
        assert (best.path, other.path) == ("real.jpg", "a damaged.jpg")
        assert other.image.damage
        (folder / "real.jpg").unlink()
        scene(7).resize((160, 120)).save(folder / "small.jpg", quality=90)
        ((best, other),) = memery.duplicates(refresh=True)
        assert (best.path, other.path) == ("small.jpg", "a damaged.jpg")
