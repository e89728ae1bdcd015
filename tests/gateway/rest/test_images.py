"""`/v1/images`, `/v1/thumbnails`, `/v1/facets`, and what is told of folders."""

import asyncio
import contextlib
import io
import os
import re
from pathlib import Path

import pytest
from PIL import Image

from memery import Memery
from memery.archive import find_archive
from memery.gateway.maintenance import purge
from memery.gateway.rest.routes.images import OpenFile, disposition
from memery.gateway.rest.schemas.problems import Problem
from memery.imaging.thumbnails import Thumbnails
from support.images import paint
from support.servers.memery import serving


def every(server, query=""):
    """Every image, with each exact copy."""
    return server.get(f"/v1/images?top_k=1000&copies=1{query}").json()["images"]


def by_path(server, path):
    return next(image for image in every(server) if image["path"] == path)


def test_browses_all_images_page_by_page(both):
    for sort in ("date", "name"):
        whole = every(both, f"&sort={sort}")
        folded = both.get(f"/v1/images?sort={sort}&top_k=1000").json()
        assert (len(whole), len(folded["images"]), folded["total"]) == (13, 12, 12)
        for copies, expected in ((1, whole), (0, folded["images"])):
            pages = [
                image
                for offset in range(0, 14, 4)
                for image in both.get(
                    f"/v1/images?sort={sort}&top_k=4&offset={offset}&copies={copies}"
                ).json()["images"]
            ]
            assert pages == expected
    assert [image["collection"] for image in every(both, "&collection=more")] == ["more"] * 3
    assert len(every(both, "&ext=jpg")) == 1
    assert len(every(both, "&under=trip")) == 3
    assert len(every(both, "&orientation=portrait")) == 1


def test_lists_newest_first(tmp_path):
    for number, name in enumerate("abc"):
        paint(tmp_path / f"{name}.png", "red", (9, 9))
        os.utime(tmp_path / f"{name}.png", (1_600_000_000 + number, 1_600_000_000 + number))
    with serving(tmp_path) as server:
        server.wait_until_indexed()
        assert [image["path"] for image in every(server)] == ["c.png", "b.png", "a.png"]


def test_counts_facets(both):
    found = both.get("/v1/facets?copies=1").json()
    assert found["folders"] == [{"name": "", "count": 13}, {"name": "trip", "count": 3}]
    assert found["types"] == [{"name": "png", "count": 12}, {"name": "jpg", "count": 1}]
    assert found["months"] == [{"name": "2023-11", "count": 13}]
    folded = both.get("/v1/facets").json()  # as /v1/images lists them
    assert folded["folders"] == [{"name": "", "count": 12}, {"name": "trip", "count": 3}]
    assert folded["types"] == [{"name": "png", "count": 11}, {"name": "jpg", "count": 1}]
    assert folded["months"] == [{"name": "2023-11", "count": 12}]
    narrowed = both.get("/v1/facets?under=trip&collection=photos").json()
    assert narrowed["types"] == [{"name": "png", "count": 2}, {"name": "jpg", "count": 1}]


def test_gives_facts_of_an_image(server):
    image = by_path(server, "trip/sea.jpg")
    facts = server.get(f"/v1/images/{image['id']}").json()
    assert facts == image | {"text": None, "copy_paths": []}
    assert (facts["width"], facts["height"], facts["format"]) == (60, 20, "JPEG")
    assert facts["modified_at"] == "2023-11-14T22:13:20+00:00"


def test_folds_exact_copies(server):
    listed = server.get("/v1/images?top_k=1000").json()["images"]
    copies = {image["path"]: image["copies"] for image in listed}
    assert "trip/copy.png" not in copies
    assert copies.pop("red.png") == 2
    assert set(copies.values()) == {1}
    facts = server.get(f"/v1/images/{by_path(server, 'trip/copy.png')['id']}").json()
    assert (facts["copies"], facts["copy_paths"]) == (2, ["red.png"])
    narrowed = server.get("/v1/images?under=trip&top_k=1000").json()["images"]
    assert {image["path"]: image["copies"] for image in narrowed}["trip/copy.png"] == 1


def test_sends_the_file(server, photos):
    image, data = by_path(server, "trip/sea.jpg"), (photos / "trip" / "sea.jpg").read_bytes()
    whole = server.get(image["image_url"])
    assert (whole.status, whole.body) == (200, data)
    assert whole.headers["Content-Type"] == "image/jpeg"
    assert whole.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert whole.headers["Content-Disposition"].startswith("inline")
    part = server.get(image["image_url"], Range="bytes=2-5")
    assert (part.status, part.body) == (206, data[2:6])
    assert part.headers["Content-Range"] == f"bytes 2-5/{len(data)}"
    assert server.get(image["image_url"], Range="bytes=-3").body == data[-3:]
    beyond = server.get(image["image_url"], Range=f"bytes={len(data)}-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(data)}")
    tag = whole.headers["ETag"]
    assert server.get(image["image_url"], If_None_Match=tag).status == 304
    assert server.get(image["image_url"], Range="bytes=0-0", If_Range='"old"').status == 200


@pytest.mark.parametrize(
    ("header", "sent"),
    [
        ("bytes=0-", slice(0, None)),
        ("bytes=5-1000000", slice(5, None)),
        ("bytes=-4", slice(-4, None)),
        ("bytes=-1000000", slice(0, None)),
        ("BYTES=2-3", slice(2, 4)),
        ("bytes=0000000000000000000000-1", slice(0, 2)),
        (f"bytes=1-{'9' * 400}", slice(1, None)),
        (f"bytes=-{'9' * 400}", slice(0, None)),
    ],
)
def test_sends_one_range(server, photos, header, sent):
    data = (photos / "trip" / "sea.jpg").read_bytes()
    answer = server.get(by_path(server, "trip/sea.jpg")["image_url"], Range=header)
    first, last, _ = sent.indices(len(data))
    assert (answer.status, answer.body) == (206, data[sent])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last - 1}/{len(data)}"
    assert answer.headers["Content-Length"] == str(last - first)


@pytest.mark.parametrize("header", ["bytes=-", "bytes=5-2", "lines=1-2", "bytes", "bytes=a-b"])
def test_sends_the_whole_file_where_a_range_is_not_understood(server, photos, header):
    data = (photos / "trip" / "sea.jpg").read_bytes()
    answer = server.get(by_path(server, "trip/sea.jpg")["image_url"], Range=header)
    assert (answer.status, answer.body) == (200, data)


@pytest.mark.parametrize("header", ["bytes=1000000-", "bytes=1000000-2000000", "bytes=-0"])
def test_refuses_ranges_beyond_the_end(server, photos, header):
    size = (photos / "trip" / "sea.jpg").stat().st_size
    answer = server.get(by_path(server, "trip/sea.jpg")["image_url"], Range=header)
    assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == "The file has no such range."


def test_sends_several_ranges_as_parts(server, photos):
    data = (photos / "trip" / "sea.jpg").read_bytes()
    url = by_path(server, "trip/sea.jpg")["image_url"]
    answer = server.get(url, Range="bytes=0-1,3-4")
    assert answer.status == 206
    boundary = answer.headers["Content-Type"].partition("boundary=")[2]
    assert answer.headers["Content-Type"] == f"multipart/byteranges; boundary={boundary}"
    _, *parts, _ = answer.body.split(f"--{boundary}".encode())
    assert [part.split(b"\r\n\r\n", 1)[1][:-2] for part in parts] == [data[:2], data[3:5]]


def sent_by(answer, range_=b""):
    """The bytes of a body, as a server would send them."""
    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message.get("body", b""))

    scope = {"type": "http", "method": "GET", "headers": [(b"range", range_)] * bool(range_)}
    with contextlib.suppress(Problem):
        asyncio.run(answer(scope | {"asgi": {"spec_version": "2.4"}}, receive, send))
    return b"".join(sent)


@pytest.mark.parametrize(
    ("range_", "expected"),
    [
        (b"", b"0123456789"),
        (b"lines=1-2", b"0123456789"),
        (b"bytes=2-", b"23456789"),
        (b"bytes=10-", b""),
    ],
)
def test_sends_the_file_that_was_opened_and_closes_it(tmp_path, range_, expected):
    path = tmp_path / "a.png"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        answer = OpenFile(file, os.fstat(file.fileno()), {}, "image/png")
        path.unlink()
        path.write_bytes(b"another one")
        assert sent_by(answer, range_) == expected
        assert file.closed


def test_sends_no_more_than_promised_of_a_file_that_grows(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        answer = OpenFile(file, os.fstat(file.fileno()), {}, "image/png")
        with path.open("ab") as more:
            more.write(b"more")
        assert sent_by(answer) == b"0123456789"


def test_escapes_names_in_headers(server):
    image = next(image for image in every(server) if "odd" in image["path"])
    answer = server.get(f"{image['image_url']}?download=1")
    told = answer.headers["Content-Disposition"]
    assert told == (
        "attachment; filename=\"odd_-__name.png\"; filename*=UTF-8''odd%FF-%0D%0Aname.png"
    )
    assert "name.png" not in [name.lower() for name in answer.headers]
    for name in ('a"b', "a\\b", "a;b", "ü", "a\0b", "a\r\nSet-Cookie: x=1"):
        shown = disposition(name, attachment=False)
        assert shown.isascii()
        assert shown.isprintable()
        assert shown.count('"') == 2


def test_makes_each_thumbnail_once(photos, server):
    image = by_path(server, "green.png")
    place = photos / ".memery" / "thumbnails"
    made = server.get(f"{image['thumbnail_url']}?size=160")
    assert (made.status, made.headers["Content-Type"]) == (200, "image/webp")
    assert made.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    with Image.open(io.BytesIO(made.body)) as picture:
        assert (picture.format, picture.size) == ("WEBP", (40, 30))  # never made larger
    (kept,) = [file for file in place.iterdir() if "-160-" in file.name]
    kept.write_bytes(kept.read_bytes() + b"\0")
    assert server.get(f"{image['thumbnail_url']}?size=160").body == made.body + b"\0"
    tag = made.headers["ETag"]
    assert server.get(f"{image['thumbnail_url']}?size=160", If_None_Match=tag).status == 304
    assert server.get(f"{image['thumbnail_url']}?size=161").status == 422
    metrics = server.get("/metrics").body.decode()
    assert 'memery_thumbnail_hits{name="photos"}' in metrics


def test_bounds_stored_thumbnails(tmp_path):
    Image.effect_noise((640, 640), 90).convert("RGB").save(tmp_path / "noise.png")
    with Memery(tmp_path) as memery:
        memery.build()
    archive, data = find_archive(tmp_path), (tmp_path / "noise.png").read_bytes()
    size = len(Thumbnails(archive, 10**9).make("0" * 64, 640, data))
    thumbnails = Thumbnails(archive, 10**9, max_bytes=3 * size)
    for number in range(1, 8):
        thumbnails.make(f"{number:064x}", 640, data)
        assert sum(file.stat().st_size for file in archive.kept_thumbnails()) <= 3 * size
    assert thumbnails.find(f"{7:064x}", 640) is not None
    assert thumbnails.find(f"{1:064x}", 640) is None
    (archive.thumbnails / "notes.txt").write_text("mine")
    purge(tmp_path)
    assert [file.name for file in archive.folder.rglob("*")] == ["thumbnails", "notes.txt"]


def test_head_gives_headers_of_get_without_body(server, photos):
    image = by_path(server, "trip/sea.jpg")
    for path in (
        "/", "/page/latest/main.js", "/healthz", "/readyz", "/v1/search?text=red", "/v1/nowhere",
        "/v1/search?since=soon&text=red", image["image_url"], image["thumbnail_url"],
    ):  # fmt: skip
        get, head = server.get(path), server.ask("HEAD", path)
        assert (head.status, head.body) == (get.status, b""), path
        for name in ("Content-Type", "ETag", "Content-Disposition"):
            assert head.headers[name] == get.headers[name], path
        if "took" not in path and "search" not in path:
            assert head.headers["Content-Length"] == get.headers["Content-Length"], path
    part = server.ask("HEAD", image["image_url"], headers={"Range": "bytes=2-5"})
    assert (part.status, part.headers["Content-Length"], part.body) == (206, "4", b"")
    assert server.ask("HEAD", "/v1/index/events").status == 200  # and it ends
    assert server.ask("HEAD", "/v1/encode").status == 405
    metrics = server.get("/metrics").body.decode()
    assert re.search(r'memery_requests_total{.*method="HEAD".*route="/v1/search".*} [1-9]', metrics)


def test_does_not_show_changed_file_for_the_indexed_one(tmp_path):
    paint(tmp_path / "a.png", "red", (9, 9))
    paint(tmp_path / "b.png", "red", (9, 9))
    paint(tmp_path / "touched.png", "green", (9, 9))
    with serving(tmp_path) as server:
        server.wait_until_indexed()
        a, b = by_path(server, "a.png"), by_path(server, "b.png")
        paint(tmp_path / "a.png", "blue", (9, 9))
        (tmp_path / "b.png").unlink()
        size = "?size=160"  # the index has made a larger one, of what was indexed
        assert server.get(a["thumbnail_url"] + size).status == 404
        assert server.get(b["thumbnail_url"] + size).status == 404
        assert server.get(b["image_url"]).status == 404
        changed = server.get(a["image_url"])
        assert changed.status == 404
        assert "has changed since" in changed.json()["detail"]
        touched = by_path(server, "touched.png")
        os.utime(tmp_path / "touched.png", (1, 1))  # its content is the same
        answer = server.get(touched["image_url"])
        assert (answer.status, answer.body) == (200, (tmp_path / "touched.png").read_bytes())


def test_does_not_serve_links_out_of_the_folder(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "secret").mkdir()
    paint(tmp_path / "secret" / "in.png", "red", (9, 9))
    paint(tmp_path / "photos" / "a.png", "blue", (9, 9))
    (tmp_path / "photos" / "folder").symlink_to(tmp_path / "secret")
    (tmp_path / "photos" / "file.png").symlink_to(tmp_path / "secret" / "in.png")
    (tmp_path / "photos" / "inside.png").symlink_to(tmp_path / "photos" / "a.png")
    with Memery(tmp_path / "photos", follow_links=True) as memery:
        assert memery.build().searchable == 4
    with serving(tmp_path / "photos", words=["--no-index"]) as server:
        for path, status in (
            ("folder/in.png", 404), ("file.png", 404), ("inside.png", 200), ("a.png", 200),
        ):  # fmt: skip
            image = by_path(server, path)
            assert server.get(image["image_url"]).status == status, path
            assert server.get(image["thumbnail_url"]).status == status, path


def test_does_not_serve_file_that_is_no_longer_an_image(tmp_path):
    contents = {
        "svg.png": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        "html.png": b"<!doctype html><script>alert(1)</script>",
        "pdf.png": b"%PDF-1.7",
        "empty.png": b"",
    }
    for name in contents:
        paint(tmp_path / name, "red", (9, 9))
    with Memery(tmp_path) as memery:
        memery.build()
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    with serving(tmp_path, words=["--no-index"]) as server:
        images = every(server)
        assert len(images) == len(contents)
        for image in images:
            answer = server.get(image["image_url"])
            assert answer.status == 404
            assert answer.headers["Content-Type"] == "application/problem+json"


def spellings():
    """Ways out of a folder, as they are tried."""
    targets = ("etc/passwd", ".memery/store.sqlite3", "secret.png")
    ups = ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..\\", "..%5c", "%252e%252e%252f", "....//",
           "..%c0%af", "%uff0e%uff0e/")  # fmt: skip
    for target in targets:
        for up in ups:
            yield up * 4 + target
    yield from ("/etc/passwd", "%2fetc%2fpasswd", "file:///etc/passwd", "a%00.png", "//etc/passwd")


def test_rejects_paths_out_of_the_folder(server):
    tried = 0
    places = ("/v1/images/{}", "/v1/images/{}/file", "/v1/images/{}/similar", "/v1/thumbnails/{}",
              "/v1/uploads/{}/thumbnail", "/page/latest/{}", "/{}")  # fmt: skip
    parameters = ("under", "not_under", "collection", "similar_to", "upload", "ext", "since")
    for spelling in spellings():
        for place in places:
            answer = server.get(place.format(spelling))
            assert answer.status in (400, 404, 405), (place, spelling)
            tried += 1
        for name in parameters:
            answer = server.get(f"/v1/search?text=red&{name}={spelling}")
            assert answer.status in (200, 404, 422), (name, spelling)
            for hit in answer.json().get("hits", []):
                assert not hit["path"].startswith(("..", "/", ".memery"))
            tried += 1
        for body in (b"root:", b"SQLite format 3"):
            assert body not in answer.body
    assert tried > 400


def test_accepts_folder_names_that_are_not_utf8(tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff"
    Path(os.fsdecode(folder)).mkdir()
    paint(folder + b"/a.png", "red", (9, 9))
    paint(tmp_path / "b.png", "red", (9, 9))
    with serving(tmp_path) as server:
        server.wait_until_indexed()
        assert [image["path"] for image in every(server, "&under=%FF")] == ["\udcff/a.png"]
        assert {"name": "\udcff", "count": 1} in server.get("/v1/facets").json()["folders"]


def test_lists_collections_and_their_status(both, photos, more):
    listed = both.get("/v1/collections").json()
    assert [(c["name"], c["path"], c["searchable"]) for c in listed] == [
        ("photos", str(photos), 10),
        ("more", str(more), 3),
    ]
    status = both.get("/v1/status").json()
    assert (status["images"], status["skipped"], status["model_id"]) == (13, 1, "colours")
    assert status["index_allowed"] is True
    skipped = both.get("/v1/skipped").json()
    assert [(s["collection"], s["path"], s["reason"]) for s in skipped["skipped"]] == [
        ("photos", "broken.png", "unsupported format")
    ]
    assert both.get("/v1/skipped?offset=1").json() == {"total": 1, "skipped": []}


def test_serves_part_of_an_archive_as_collection(photos, server):
    with serving(photos / "trip") as part:
        part.wait_until_indexed()
        assert sorted(image["path"] for image in every(part)) == [
            "copy.png", "grass.png", "sea.jpg",
        ]  # fmt: skip
        outside = by_path(server, "green.png")
        assert part.get(f"/v1/images/{outside['id']}").status == 404
        assert part.get("/v1/facets").json()["folders"] == [{"name": "", "count": 3}]


def test_serves_two_folders_of_the_same_name(tmp_path):
    for parent in ("one", "two"):
        (tmp_path / parent / "photos").mkdir(parents=True)
        paint(tmp_path / parent / "photos" / "a.png", "red", (9, 9))
    folders = [tmp_path / parent / "photos" for parent in ("one", "two", "one")]
    with serving(*folders) as server:
        server.wait_until_indexed()
        listed = server.get("/v1/collections").json()
        assert [c["name"] for c in listed] == ["photos", "photos-2"]
        found = server.search(text="red", mode="visual")
        # Same path and same content: one id, which either file answers.
        assert {hit["collection"] for hit in found["hits"]} == {"photos", "photos-2"}
        assert found["hits"][0]["id"] == found["hits"][1]["id"]
