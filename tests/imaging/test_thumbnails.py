"""Thumbnails that the indexing flow makes: what the page shows first is there already."""

import errno
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memery import Memery, index_flow
from memery.archive import find_archive
from memery.imaging.formats import DECODING
from memery.imaging.thumbnails import GRID_SIDE, Thumbnails
from support.commands import run_python
from support.images import paint


def gradient(size):
    x, y = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=-1).astype(np.uint8))


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    gradient((900, 600)).save(folder / "plain.png")
    gradient((120, 80)).save(folder / "small.png")
    orientation = Image.Exif()
    orientation[0x0112] = 6
    gradient((1200, 801)).save(folder / "turned.jpg", exif=orientation, quality=95)
    drawing = Image.new("RGBA", (640, 480), (0, 0, 0, 0))
    drawing.paste((200, 30, 30, 255), (100, 100, 300, 300))
    drawing.save(folder / "drawing.png")
    return folder


def image_of(data):
    return Image.open(io.BytesIO(data)).convert("RGB")


def test_indexing_makes_the_thumbnails_of_the_grid(photos):
    index_flow(photos, model="colours")
    with Memery(photos, model="colours") as memery:
        for hit in memery.recall("red", top_k=10):
            kept = memery.thumbnails.find(hit.image.digest, GRID_SIDE)
            assert kept is not None, hit.path
            data = (photos / hit.path).read_bytes()
            on_demand = Thumbnails(find_archive(photos), 10**9).make("0" * 64, GRID_SIDE, data)
            found, expected = image_of(kept), image_of(on_demand)
            assert found.size == expected.size
            assert max(found.size) == min(GRID_SIDE, max(hit.image.width, hit.image.height))
            difference = np.asarray(found, float) - np.asarray(expected, float)
            assert np.abs(difference).mean() < 3, hit.path


def test_indexing_makes_each_thumbnail_once(photos):
    index_flow(photos, model="colours")
    places = list(find_archive(photos).thumbnails.iterdir())
    assert sorted(place.name for place in places) == sorted(
        place.name for place in find_archive(photos).kept_thumbnails()
    )
    before = {place: place.stat().st_mtime_ns for place in places}
    assert len(before) == 4
    index_flow(photos, model="colours", rebuild=True)
    assert {place: place.stat().st_mtime_ns for place in places} == before


def test_indexing_leaves_most_of_the_room_to_what_is_looked_at(photos):
    index_flow(photos, model="colours")
    archive = find_archive(photos)
    used = sum(place.stat().st_size for place in archive.kept_thumbnails())
    assert Thumbnails(archive, 10**9).should_precompute("0" * 64, GRID_SIDE)
    assert not Thumbnails(archive, 10**9, max_bytes=4 * used).should_precompute("0" * 64, GRID_SIDE)
    assert Thumbnails(archive, 10**9, max_bytes=4 * used + 4).should_precompute("0" * 64, GRID_SIDE)
    digest = next(archive.kept_thumbnails()).name.partition("-")[0]
    assert not Thumbnails(archive, 10**9).should_precompute(digest, GRID_SIDE)
    assert f"{digest}-{GRID_SIDE}-{DECODING}.webp" in {
        place.name for place in archive.kept_thumbnails()
    }


def test_indexing_makes_no_thumbnails_of_links(photos, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    paint(tmp_path / "elsewhere" / "private.png", "red", (9, 9))
    (photos / "link.png").symlink_to(tmp_path / "elsewhere" / "private.png")
    assert index_flow(photos, model="colours", follow_links=True).searchable == 5
    assert list(find_archive(photos).kept_thumbnails()) == []


def test_deletes_thumbnails_of_images_that_are_gone(photos):
    index_flow(photos, model="colours")
    archive = find_archive(photos)
    with Memery(photos, model="colours") as memery:
        images = {hit.path: hit.image for hit in memery.recall("red", top_k=10)}
        for image in images.values():
            memery.thumbnail(image, 160)
    (photos / "plain.png").unlink()
    (photos / "small.png").rename(photos / "moved.png")
    index_flow(photos, model="colours")
    kept = {place.name.partition("-")[0] for place in archive.kept_thumbnails()}
    assert kept == {image.digest for path, image in images.items() if path != "plain.png"}


def test_full_disk_costs_only_the_thumbnails(photos, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Thumbnails, "_write", full)
    assert index_flow(photos, model="colours").encoded == 4


def test_measurements_do_not_take_thumbnails_for_images(photos):
    before = sorted(photos.iterdir())
    index_flow(photos, model="colours")
    assert list(find_archive(photos).thumbnails.rglob("*.webp"))
    code = (
        "import sys, evaluation.folders as f; print(*f.image_files(f.Path(sys.argv[1])), sep='\\n')"
    )
    root = Path(__file__).parents[2]
    done = run_python("-c", code, photos, cwd=root)
    assert [Path(line) for line in done.stdout.splitlines()] == before
