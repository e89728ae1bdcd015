"""`/v1/search` and what is like one, over a real server."""

import io
import json
import os

import pytest
from PIL import Image

from memery import Memery
from support.images import paint, png
from support.servers.memery import serving


def paths(found):
    return [hit["path"] for hit in found["hits"]]


def ids(found):
    return [hit["id"] for hit in found["hits"]]


def test_text_finds_its_image(server):
    found = server.search(text="red", top_k=2)
    assert paths(found)[0] == "red.png"
    assert [hit["copies"] for hit in found["hits"]] == [2, 1]
    assert found["strong"] == 1
    unfolded = server.search(text="red", top_k=2, copies=1)
    assert sorted(paths(unfolded)) == ["red.png", "trip/copy.png"]
    assert (unfolded["total"], unfolded["strong"]) == (10, 2)
    assert found["query"] == [{"text": "red", "boost": 1.0}]
    assert (found["model_id"], found["mode"], found["total"]) == ("colours", "auto", 9)
    assert (found["collections"], found["left_out"]) == (["photos"], [])
    assert found["warnings"] == []
    assert set(found["took_ms"]) == {"index", "encode", "search", "total"}
    hit = found["hits"][0]
    assert hit["rank"] == 1
    assert hit["score"] == pytest.approx(1, abs=1e-3)
    assert (hit["collection"], hit["format"], hit["width"], hit["height"]) == (
        "photos", "PNG", 40, 30,
    )  # fmt: skip
    assert hit["thumbnail_url"] == f"/v1/thumbnails/{hit['id']}"
    assert server.get(hit["image_url"]).status == 200
    assert "signals" not in hit


def test_warns_of_text_the_model_cannot_read(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "red.png").write_bytes(png("red"))
    with serving(tmp_path / "photos", environment={"MEMERY_MODEL": "starter"}) as server:
        server.wait_until_indexed()
        assert server.search(text="red")["warnings"] == []
        (warning,) = server.search(text=["кошка", "red"], mode="visual")["warnings"]
        assert "cannot read “кошка”" in warning
        assert "siglip2-multilingual" in warning


def test_gives_hits_of_the_library(server, photos):
    with Memery(photos) as memery:
        expected = memery.recall("blue", exclude=["red"], top_k=100)
    found = server.search(text="blue", not_="red", top_k=100)
    assert [hit["id"] for hit in found["hits"]] == [hit.id for hit in expected]
    assert [hit["score"] for hit in found["hits"]] == [round(hit.score, 6) for hit in expected]


def test_accepts_terms_of_every_kind(server):
    blue = server.search(text="blue", top_k=1)["hits"][0]["id"]
    found = server.search(text="red^0.1", similar_to=f"{blue}^2", mode="visual", top_k=1)
    assert found["query"] == [{"text": "red", "boost": 0.1}, {"id": blue, "boost": 2.0}]
    assert found["hits"][0]["id"] == blue
    upload = server.send_form("/v1/uploads", [("image", "x.png", png("yellow"))])
    assert upload.status == 201
    assert (upload.json()["width"], upload.json()["height"]) == (30, 30)
    found = server.search(upload=upload.json()["id"], top_k=1)
    assert paths(found) == ["yellow.png"]
    assert found["query"] == [{"upload": upload.json()["id"], "boost": 1.0}]
    thumbnail = server.get(upload.json()["thumbnail_url"])
    assert Image.open(io.BytesIO(thumbnail.body)).format == "WEBP"
    # Less of what is yellow: it comes last.
    found = server.search(text="red", not_upload=upload.json()["id"], top_k=100)
    assert paths(found)[-1] == "yellow.png"


def test_negative_text_finds_less_of_it(server):
    found = server.search(text='red -blue^2 -"a cat"')
    assert found["query"] == [
        {"text": "red", "boost": 1.0},
        {"text": "blue", "boost": -2.0},
        {"text": "a cat", "boost": -1.0},
    ]
    exact = server.post("/v1/search", {"query": [{"text": "red -blue"}]})
    assert exact.json()["query"] == [{"text": "red -blue", "boost": 1.0}]


def test_file_name_finds_the_file(server):
    for text in ("SEA.jpg", "sea", '"sea.jpg"', "trip/sea"):
        found = server.search(text=text, min_strength=3.5)
        assert paths(found)[0] == "trip/sea.jpg"
        assert (found["hits"][0]["weak"], found["anything_strong"]) == (False, True)
    inside = server.search(text="trip", top_k=3)
    assert set(paths(inside)) == {"trip/sea.jpg", "trip/grass.png", "trip/copy.png"}


def test_empty_answer_names_its_cause(server):
    for path in ("/v1/search?text=red&", "/v1/images?"):
        document = server.get(f"{path}under=nosuch").json()
        assert document["total"] == 0
        assert document["warnings"] == [
            "No indexed image is in the folder 'nosuch'. Check its name."
        ]
        refused = server.get(f"{path}since=2024&until=2023")
        assert refused.status == 422
        assert [error["field"] for error in refused.json()["errors"]] == ["since", "until"]
        assert server.get(f"{path}ext=png").json()["warnings"] == []
    assert "xyzzy" in server.search(text='"xyzzy"')["warnings"][0]


def test_json_body_gives_the_same_answer(server):
    query = [{"text": "green"}, {"text": "red", "boost": -0.5}]
    found = server.post("/v1/search", {"query": query, "top_k": 3, "under": "trip"})
    assert found.status == 200
    assert (
        found.json()["hits"]
        == server.search(text="green", not_="red^0.5", top_k=3, under="trip")["hits"]
    )


def test_accepts_images_in_the_body(server):
    wanted = {"query": [{"image": "one"}, {"image": "two", "boost": -1}], "top_k": 1}
    parts = [
        ("search", None, json.dumps(wanted).encode()),
        ("one", "a.png", png("purple")),
        ("two", "b.png", png("green")),
    ]
    found = server.send_form("/v1/search", parts)
    assert found.status == 200, found.body
    assert paths(found.json()) == ["purple.png"]
    assert found.json()["query"][1] == {"image": "two", "boost": -1.0}


def test_pages_join_without_gap_or_repeat(both):
    whole = both.search(text="blue", top_k=1000)
    assert whole["total"] == len(whole["hits"]) == 12
    assert len({hit["id"] for hit in whole["hits"]}) == 12
    for size in (1, 3, 5):
        pages = [
            hit
            for offset in range(0, whole["total"] + size, size)
            for hit in both.search(text="blue", top_k=size, offset=offset)["hits"]
        ]
        assert [hit["id"] for hit in pages] == ids(whole)
        assert [hit["rank"] for hit in pages] == list(range(1, 13))


def test_merges_collections_by_score(both):
    found = both.search(text="blue", mode="visual", top_k=1000)
    assert found["collections"] == ["photos", "more"]
    scores = [hit["score"] for hit in found["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert {hit["collection"] for hit in found["hits"][:3]} == {"photos", "more"}
    alone = both.search(text="blue", collection="more", top_k=1000)
    assert {hit["collection"] for hit in alone["hits"]} == {"more"}
    assert alone["total"] == 3
    # Names are found in both, wherever they lie.
    named = both.search(text="cyan", mode="text")
    assert paths(named) == ["cyan.png"]


def test_finds_images_similar_to_one(server):
    red = server.search(text="red", under="trip", top_k=1)["hits"][0]
    found = server.get(f"/v1/images/{red['id']}/similar?top_k=1000").json()
    # Itself and its copy are left out.
    assert found["total"] == 8
    assert not {"red.png", "trip/copy.png"} & set(paths(found))


def test_gives_names_that_are_not_utf8(server, photos):
    answer = server.get("/v1/search?text=orange&top_k=1")
    (hit,) = answer.json()["hits"]
    assert os.fsencode(hit["path"]) == b"odd\xff-\r\nname.png"
    assert b"\\udcff" in answer.body
    assert answer.body.isascii()


def test_explains_ranking(server):
    hit = server.search(text="purple", explain="true", top_k=1)["hits"][0]
    assert {signal["name"] for signal in hit["signals"]} == {"visual", "name"}


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("", 422, "text"),
        ("text=%20", 422, "text"),
        ("text=red&top_k=0", 422, "top_k"),
        ("text=red&top_k=1001", 422, "top_k"),
        ("text=red&offset=-1", 422, "offset"),
        ("text=red&offset=99999999999999999999", 422, "offset"),
        ("text=red&since=soon", 422, "since"),
        ("text=red&min_size=big", 422, "min_size"),
        ("text=red&under=../..", 422, "under"),
        ("text=red&orientation=round", 422, "orientation"),
        ("text=red&mode=psychic", 422, "mode"),
        ("text=red&min_strength=nan", 422, "min_strength"),
        ("text=red^0", 422, "text"),
        ("text=red^nan", 422, "text"),
        ("text=red&not=dog^1e999", 422, "not"),
        ("text=red^1000001", 422, "text"),
        ("text=red&not=red", 422, None),
        ("mode=text&text=!!!", 422, None),
        ("similar_to=" + "0" * 32, 404, "similar_to"),
        ("text=red&unlike=nothing", 404, "unlike"),
        ("upload=gone", 404, "upload"),
        ("text=red&collection=nowhere", 404, "collection"),
        ("&".join(["text=red"] * 33), 422, "text"),
    ],
)
def test_names_invalid_parameters(server, query, status, field):
    answer = server.get(f"/v1/search?{query}")
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "errors"}
    assert problem["status"] == status
    if field is not None:
        assert field in [error["field"] for error in problem["errors"]]


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({}, "query"),
        ({"query": []}, "query"),
        ({"query": [{}]}, "query.0"),
        ({"query": [{"text": "a", "id": "b"}]}, "query.0"),
        ({"query": [{"text": "a", "boost": "x"}]}, "query.0.boost"),
        ({"query": [{"image": "nowhere"}]}, "query.0.image"),
        ({"query": [{"text": "a"}], "until": "soon"}, "until"),
        ({"query": [{"text": "a"}], "colour": "red"}, "colour"),
        ([], "body"),
    ],
)
def test_names_invalid_fields_of_a_body(server, value, field):
    answer = server.post("/v1/search", value)
    assert answer.status == 422
    assert field in [error["field"] for error in answer.json()["errors"]]


def test_rejects_invalid_bodies(server):
    ask = server.ask
    assert ask("POST", "/v1/search", b"{", {"Content-Type": "application/json"}).status == 400
    deep = b"[" * 100_000
    assert ask("POST", "/v1/search", deep, {"Content-Type": "application/json"}).status == 400
    assert ask("POST", "/v1/search", b"x", {"Content-Type": "text/plain"}).status == 415
    assert ask("POST", "/v1/search", b"x", {"Content-Type": "multipart/form-data"}).status == 400
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert ask("POST", "/v1/search", b"--b\r\n\r\n", kind).status == 400
    assert server.send_form("/v1/search", [("search", None, b"nothing")]).status == 422
    assert server.get("/healthz").body == b"ok\n"


def test_reads_empty_part_as_empty_file(server):
    search = json.dumps({"query": [{"text": "red"}, {"image": "this"}]}).encode()
    answer = server.send_form("/v1/search", [("search", None, search), ("this", "a.png", b"")])
    assert answer.status == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "query.1.image"
    assert "is an empty file" in error["message"]


def test_names_missing_image_of_a_term(server):
    search = json.dumps({"query": [{"image": "this"}]}).encode()
    for parts in ([], [("this", None, b"text")]):
        answer = server.send_form("/v1/search", [("search", None, search), *parts])
        assert answer.status == 422
        assert "the body has no file named 'this'" in answer.json()["detail"]


def test_rejects_json_with_a_huge_integer(server):
    kind = {"Content-Type": "application/json"}
    body = b'{"query": [{"text": "red"}], "top_k": ' + b"1" * 5000 + b"}"
    answer = server.ask("POST", "/v1/search", body, kind)
    assert answer.status == 400
    assert answer.json()["detail"] == (
        "The body is not valid JSON: a number has more than 100 digits."
    )


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/search", "GET, HEAD, POST"),
        ("/v1/index", "GET, HEAD, DELETE, POST"),
        ("/v1/images", "GET, HEAD"),
        ("/v1/images/x/file", "GET, HEAD"),
        ("/v1/encode", "POST"),
        ("/healthz", "GET, HEAD"),
        ("/", "GET, HEAD"),
        ("/page/latest/main.js", "GET, HEAD"),
    ],
)
def test_405_names_every_method_of_the_path(server, path, methods):
    for method in ("PUT", "OPTIONS", "PATCH"):
        answer = server.ask(method, path)
        assert (answer.status, answer.headers["Allow"]) == (405, methods)
    for method in methods.split(", "):
        if method not in ("POST", "DELETE"):
            assert server.ask(method, path).status != 405


@pytest.mark.parametrize("sort", ["date", "name"])
def test_sorts_pages_over_collections(both, sort):
    asked = {"text": "red", "sort": sort, "min_strength": -100}
    whole = both.search(**asked, top_k=100)
    pages = [
        hit
        for offset in range(0, whole["total"], 4)
        for hit in both.search(**asked, top_k=4, offset=offset)["hits"]
    ]
    assert pages == whole["hits"]
    assert [hit["rank"] for hit in pages] != sorted(hit["rank"] for hit in pages)


def test_gives_no_hits_before_the_first_build(tmp_path):
    (tmp_path / "empty").mkdir()
    with serving(tmp_path / "empty", words=["--no-index"]) as server:
        assert server.search(text="red")["total"] == 0
        assert server.get("/v1/images").json() == {"total": 0, "warnings": [], "images": []}
        assert [job["state"] for job in server.get("/v1/index").json()] == ["idle"]
        assert server.get("/v1/status").json()["images"] == 0
    assert not (tmp_path / "empty" / ".memery").exists()


def test_status_names_unreadable_files(tmp_path):
    (tmp_path / "a.cr2").touch()
    with serving(tmp_path) as server:
        server.wait_until_indexed()
        said = ["1 RAW file (.cr2) cannot be read: export it as JPEG."]
        assert server.get("/v1/status").json()["excluded"] == said


@pytest.mark.parametrize(
    "path", ["/v1/search?text=red&", "/v1/images?", "/healthz?", "/v1/facets?"]
)
def test_rejects_misspelt_parameter(server, path):
    answer = server.get(f"{path}util=2020")
    assert answer.status == 422
    assert answer.json()["errors"] == [{"field": "util", "message": "unknown parameter"}]
    assert server.get("/?util=2020").status == 200  # what the page's address says is the page's


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/search?text=red&text=gr%FFn", "text"),
        ("/v1/search?text=red&not=%e9", "not"),
        ("/v1/search?text=red&ext=%ff", "ext"),
        ("/v1/search?text=red&collection=%ff", "collection"),
        ("/v1/images?since=%ff", "since"),
        ("/v1/facets?under=trip&until=%c3%28", "until"),
    ],
)
def test_refuses_parameters_that_are_not_utf8(server, path, field):
    answer = server.get(path)
    assert answer.status == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert "UTF-8" in error["message"]
    assert server.get("/v1/search?text=red&under=%ff").json()["total"] == 0


def test_refuses_too_many_parameters(server):
    answer = server.get("/v1/search?" + "&".join(["text=red"] * 1001))
    assert (answer.status, answer.headers["Content-Type"]) == (422, "application/problem+json")
    assert "1000 parameters" in answer.json()["detail"]


def test_accepts_names_that_are_not_utf8_in_a_body(tmp_path):
    folder = tmp_path / "photos" / "odd\udcff"
    folder.mkdir(parents=True)
    paint(folder / "red.png", "red", (9, 9))
    paint(tmp_path / "photos" / "other.png", "red", (9, 9))
    with serving(tmp_path / "photos") as server:
        server.wait_until_indexed()
        query = [{"text": "red"}]
        under = server.post("/v1/search", {"query": query, "under": "odd\udcff"}).json()
        assert [hit["path"] for hit in under["hits"]] == ["odd\udcff/red.png"]
        other = server.post("/v1/search", {"query": query, "not_under": ["odd\udcff"]}).json()
        assert [hit["path"] for hit in other["hits"]] == ["other.png"]
        assert server.post("/v1/search", {"query": [{"text": "red \ud800"}]}).status == 200


def test_names_invalid_json(server):
    for body in (b"{", b"[" * 100_000, b"\xff"):
        headers = {"Content-Type": "application/json"}
        answer = server.ask("POST", "/v1/search", body, headers)
        assert answer.status == 400
        assert [error["field"] for error in answer.json()["errors"]] == ["body"]
        assert "recursion" not in answer.json()["detail"]


def test_names_image_that_cannot_be_decoded(server):
    search = json.dumps({"query": [{"image": "sound"}, {"text": "red"}, {"image": "cut"}]}).encode()
    cut = png("red", (40, 30))[:50]
    parts = [("search", None, search), ("sound", "a.png", png("red")), ("cut", "b.png", cut)]
    answer = server.send_form("/v1/search", parts)
    assert answer.status == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "query.2.image"
    assert "cannot be used" in error["message"]
