"""Finding what people mean: words in pictures and names, filters, similar pictures, feedback."""

import contextlib
import io
import itertools
import shutil
import sqlite3
import time
from datetime import date, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from memery import Filter, Memery, assembly, index_flow, query_flow
from memery.archive import find_archive
from memery.config import Config
from memery.errors import ImageError, QueryError, QueryTypeError, ReaderError
from memery.gateway.collections import Collections
from memery.query.builder import make_query
from memery.query.options import SearchOptions
from memery.query.terms import Term
from memery.stores.records import RecognizedText
from memery.types import Line
from support.images import paint

COLOURS = ("red", "green", "blue", "yellow", "orange", "purple", "pink", "brown", "cyan", "grey")
PAGE = "memes"


pytestmark = pytest.mark.usefixtures("colours")


def taken(moment):
    """The metadata of a photograph that was taken at a moment."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = moment
    return exif


def write(folder, texts):
    """Let pictures hold text, as if a reader had found it."""
    archive = find_archive(folder)
    store = assembly.open_store(archive, Config())
    with Memery(folder) as memery:
        digests = {hit.path: hit.image.digest for hit in memery.recall("red", top_k=100)}
    with store.writing() as writer:
        writer.commit_texts(
            [
                RecognizedText(
                    digests[path], "tests 1", (Line(line, 0.9, (0, 0, 1, 1)),) if line else ()
                )
                for path, line in texts.items()
            ]
        )
    store.close()


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for number, colour in enumerate(COLOURS):
        paint(folder / f"{number:02}.png", colour)
    paint(folder / f"{PAGE}/one.png", "#dc1e1f")
    paint(folder / f"{PAGE}/two.png", "#dc1e20")
    index_flow(folder)
    write(
        folder,
        {
            f"{PAGE}/one.png": "ONE DOES NOT SIMPLY walk into mordor",
            f"{PAGE}/two.png": "WHENYOUWALK the dog",
            "03.png": "",
        },
    )
    return folder


def paths(results):
    return [hit.path for hit in results]


def test_image_with_the_exact_words_comes_first(photos):
    assert paths(query_flow(photos, "simply mordor", top_k=1)) == [f"{PAGE}/one.png"]
    hit = query_flow(photos, "walk into mordor blue", top_k=20)[0]
    assert hit.path == f"{PAGE}/one.png"
    assert not hit.weak or hit.signals[1].matched_terms < 4
    assert {signal.name for signal in hit.signals} == {"visual", "text"}
    assert query_flow(photos, "simply mordor", top_k=1)[0].score == pytest.approx(0, abs=0.02)


def test_finds_joined_words(photos):
    assert paths(query_flow(photos, "walk dog", top_k=1)) == [f"{PAGE}/two.png"]


def test_corrects_typo_next_to_a_known_word(photos):
    assert paths(query_flow(photos, "simply mordro", top_k=1)) == [f"{PAGE}/one.png"]
    assert paths(query_flow(photos, "mordro", mode="text")) == [f"{PAGE}/one.png"]


@pytest.mark.parametrize(
    "query",
    [
        "red",
        "a blue picture",
        "the thing that is not",
        "of the and",
        "green zebra",
        "img 2",
    ],
)
def test_words_in_no_image_do_not_affect_the_ranking(photos, query):
    every = {"top_k": 100}
    auto, visual = (query_flow(photos, query, mode=m, **every) for m in ("auto", "visual"))
    assert [(hit.path, hit.score, hit.strength) for hit in auto] == [
        (hit.path, hit.score, hit.strength) for hit in visual
    ]


@pytest.mark.parametrize("mode", ["auto", "text"])
@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("invoices", "INVOICE No. 42"),
        ("invoice", "all invoices are paid"),
        ("mordro", "walk into mordor"),
        ("O'Brien", "Dear Mr. O'Brian"),
        ("O'Brien", "Dear Mr. O Brien"),
        ("O’Brien", "O'Brien & Sons"),
        ("O'Brein", "O'Brien & Sons"),
        ("simplly mordro", "one does not simply walk into mordor"),
    ],
)
def test_corrects_single_misspelt_word(photos, query, text, mode):
    write(photos, {"07.png": text})
    hit = query_flow(photos, query, mode=mode, top_k=1)[0]
    assert (hit.path, hit.weak, hit.signals[-1].name) == ("07.png", False, "text")


def test_corrected_english_word_counts_less_than_the_visual_score(photos):
    write(photos, {"00.png": "these boots are made for walking", "02.png": "LEFT BOOT"})
    found = query_flow(photos, "boat", top_k=12)  # one edit from boot
    by_path = {hit.path: hit for hit in found}
    assert by_path["02.png"].signals[-1].name == "text"
    assert "text" not in {signal.name for signal in by_path["00.png"].signals}
    assert by_path["02.png"].signals[-1].rrf_score < by_path["02.png"].signals[0].rrf_score
    assert paths(query_flow(photos, "boat", mode="text")) == ["02.png"]
    assert query_flow(photos, "boat").strong is None  # it is not called a match


def test_text_mode_finds_only_images_with_a_word(photos):
    results = query_flow(photos, "walk", mode="text")
    assert set(paths(results)) == {f"{PAGE}/one.png", f"{PAGE}/two.png"}
    assert results.total == 2
    assert not query_flow(photos, "elephant", mode="text")
    with pytest.raises(QueryError, match="words"):
        query_flow(photos, image_query=photos / "00.png", mode="text")


def test_quoted_words_must_occur(photos):
    assert paths(query_flow(photos, '"into mordor"')) == [f"{PAGE}/one.png"]
    assert paths(query_flow(photos, "red “walk the dog”")) == [f"{PAGE}/two.png"]
    assert not query_flow(photos, '"mordor into"')
    assert len(query_flow(photos, '"mordor into"', mode="visual")) == 10


def test_file_names_count_little_and_camera_numbers_not_at_all(tmp_path):
    folder = tmp_path / "photos"
    paint(folder / "IMG_1234.png", "red")
    paint(folder / "norway/lake house.png", "blue")
    paint(folder / "green.png", "green")
    index_flow(folder)
    assert query_flow(folder, "lake norway", top_k=1)[0].path == "norway/lake house.png"
    assert query_flow(folder, "1234", top_k=9)[0].signals[-1].name == "visual"
    explained = query_flow(folder, "lake house")[0].signals
    assert [(signal.name, signal.matched_terms) for signal in explained][-1] == ("name", 2)


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("once upon a time.png", '"once upon a time"'),
        ("plan b.png", '"plan b"'),
        ("Don't stop.png", '"don\'t stop"'),
        ("Don't stop.png", "dont stop"),
        ("chapter 12.png", '"chapter 12"'),
        ("chapter 12.png", "chapter 12"),
        ("invoice 42/scan.png", "invoice 42"),
        ("猫咪.png", "猫咪"),
        ("我的猫咪很可爱.png", '"猫咪"'),
        ("हिन्दी चित्र.png", '"हिन्दी"'),
    ],
)
def test_finds_names_as_they_are_written(tmp_path, name, query):
    folder = tmp_path / "photos"
    paint(folder / name, "red")
    paint(folder / "other 13.png", "green")
    index_flow(folder)
    found = query_flow(folder, query, top_k=1)
    assert paths(found) == [name]
    assert found[0].signals[-1].name == "name" or '"' in query


NAMES = {
    "IMG_1540.JPG": ("IMG_1540", "img_1540.jpg", '"IMG_1540"', '"img_1540.JPG"', "album/IMG_1540"),
    "TC_00715.JPG": ("TC_00715.JPG", '"TC_00715.JPG"', "tc_00715"),
    "M\u00fcller Caf\u00e9.jpg": (
        "M\u00fcller Caf\u00e9.jpg",
        "Mu\u0308ller Cafe\u0301.JPG",
        '"Mu\u0308ller Cafe\u0301"',
        "M\u00dcLLER CAF\u00c9",
    ),
    "\U0001f600.png": ("\U0001f600", "\U0001f600.PNG"),
    "v1.0.png": ("v1.0", "V1.0.png"),
    "the.png": ("The", "the.png"),
}


@pytest.mark.parametrize("mode", ["auto", "text"])
def test_file_name_finds_the_file(tmp_path, mode):
    folder = tmp_path / "photos"
    for number, name in enumerate(NAMES):
        paint(folder / f"album/{name}", COLOURS[number], size=(40 + number, 30))
    for name in ("IMG_1541.JPG", "IMG_15400.JPG", "v1.png", "caf\u00e9.jpg"):
        paint(folder / f"other/{name}", "white")
    index_flow(folder)
    for name, queries in NAMES.items():
        for query in queries:
            for wanted in ({}, {"min_strength": 3.5}):
                found = query_flow(folder, query, mode=mode, refresh=False, **wanted)
                assert found, query
                hit = found[0]
                assert (hit.path, hit.weak, found.strong) == (f"album/{name}", False, 1), query
                assert hit.signals[-1].name == "name"


def test_accepts_names_as_several_texts_of_a_query(tmp_path):
    folder = tmp_path / "photos"
    for number in range(40):
        paint(folder / f"IMG_{1500 + number}.png", (255, 2 * number, 0), size=(40 + number, 30))
    paint(folder / "trip/blue.png", "blue")
    paint(folder / "trip/IMG_1540.png", "green")
    index_flow(folder)
    for mode in ("auto", "text"):
        found = query_flow(folder, ["IMG_1540", "trip", "img_1501.PNG"], mode=mode)
        assert set(paths(found)[:2]) == {"trip/IMG_1540.png", "IMG_1501.png"}
        assert paths(found)[2] == "trip/blue.png"
        assert found.strong == sum(not hit.weak for hit in found) == 3


def test_folder_name_finds_its_images_first(tmp_path):
    folder = tmp_path / "photos"
    paint(folder / "a/Summer_Trip/deep/sea.png", "blue")
    paint(folder / "a/Summer_Trip/red.png", "red")
    paint(folder / "b/summer_trip.jpg", "green")
    paint(folder / "summer.png", "yellow")
    index_flow(folder)
    found = query_flow(folder, "summer_trip")
    assert paths(found)[0] == "b/summer_trip.jpg"
    assert set(paths(found)[1:3]) == {"a/Summer_Trip/deep/sea.png", "a/Summer_Trip/red.png"}
    assert [hit.weak for hit in found] == [False, False, False, True]
    assert paths(query_flow(folder, "SUMMER_TRIP/DEEP"))[0] == "a/Summer_Trip/deep/sea.png"
    assert query_flow(folder, "summer_trip", under="b").total == 1
    (folder / "a/Summer_Trip/deep/sea.png").rename(folder / "away.png")
    assert query_flow(folder, "deep").strong is None
    assert paths(query_flow(folder, "away"))[0] == "away.png"


@pytest.mark.parametrize("query", ["album", "beach holiday"])
def test_every_match_of_a_name_is_strong(tmp_path, monkeypatch, query):
    monkeypatch.setattr("memery.executors.ranker.retrieval._TEXT_MATCHES_MAX", 5)
    folder = tmp_path / "photos"
    for number in range(40):
        name = f"album/beach holiday {number}" if number < 20 else f"other/{number}"
        paint(folder / f"{name}.png", (255, 2 * number, 0), size=(40 + number, 30))
    index_flow(folder)
    for wanted in ({}, {"sort": "date"}, {"top_k": 3}, {"mode": "text"}):
        found = query_flow(folder, query, refresh=False, **{"top_k": 40, **wanted})
        assert found.strong == 20, wanted
        assert sum(not hit.weak for hit in found) == min(20, len(found))


@pytest.mark.parametrize("query", ["harbour", "harbour lights", "brightlights"])
def test_every_text_that_holds_all_words_is_strong(tmp_path, monkeypatch, query):
    monkeypatch.setattr("memery.executors.ranker.retrieval._TEXT_MATCHES_MAX", 5)
    folder = tmp_path / "photos"
    for number in range(40):
        paint(folder / f"{number:02}.png", (255, 2 * number, 0), size=(40 + number, 30))
    shutil.copy(folder / "07.png", folder / "copy.png")
    index_flow(folder)
    write(folder, {f"{number:02}.png": "the harbour of brightlights" for number in range(20)})
    if query == "harbour lights":
        write(folder, {f"{number:02}.png": "harbour" for number in range(20, 30)})
    for wanted in ({}, {"sort": "date"}, {"top_k": 3}, {"mode": "text"}):
        found = query_flow(folder, query, refresh=False, **{"top_k": 40, **wanted})
        assert found.strong == 20, wanted
        assert sum(not hit.weak for hit in found) == min(20, len(found)), wanted
    every = query_flow(folder, query, refresh=False, list_copies=True, top_k=41)
    assert every.strong == sum(not hit.weak for hit in every) == 21
    assert query_flow(folder, query, refresh=False, top_k=40, ext="gif").total == 0


def test_file_name_finds_the_file_in_every_collection(tmp_path):
    for name in ("one", "two"):
        paint(tmp_path / name / "red.png", "red")
        paint(tmp_path / name / f"{name}/IMG_7.png", "blue", size=(41, 30))
        paint(tmp_path / name / "img_7/green.png", "green")
    with Collections([tmp_path / "one", tmp_path / "two"]) as collections:
        for collection in collections:
            collections.build(collection.name, lambda _: None)
        found = collections.search(make_query("IMG_7"), SearchOptions(top_k=3))
    names = [hit.path for hit in found.results]
    assert (names[:2], names[2]) == (["one/IMG_7.png", "two/IMG_7.png"], "img_7/green.png")


@pytest.mark.parametrize("images", [1, 3, 29])
def test_few_images_are_never_called_no_match(tmp_path, images):
    folder = tmp_path / "photos"
    for number in range(images):
        paint(folder / f"{number}.png", "red", size=(40 + number, 30))
    index_flow(folder)
    for wanted in ({"query": "red"}, {"query": "red", "exclude": "green"}, {"query": "submarine"}):
        found = query_flow(folder, **wanted)
        assert found.strong is None
        assert not any(hit.weak for hit in found)


def test_judges_strength_with_enough_images(tmp_path):
    folder = tmp_path / "photos"
    for number in range(30):
        paint(folder / f"{number}.png", "red", size=(40 + number, 30))
    index_flow(folder)
    found = query_flow(folder, "submarine")
    assert (found.strong, found[0].weak) == (0, True)
    # With something to find less of, strength is not calibrated.
    assert query_flow(folder, "submarine", exclude="green").strong is None


def test_exact_copy_is_never_weak(tmp_path):
    folder = tmp_path / "photos"
    for number in range(40):
        paint(folder / f"{number}.png", (255, 2 * number, 0))
    index_flow(folder)
    found = query_flow(folder, image_query=folder / "7.png", top_k=40)
    assert [hit.path for hit in found if not hit.weak] == ["7.png"]
    assert found.strong == 1
    kept = query_flow(folder, image_query=folder / "7.png", min_strength=3.5, top_k=40)
    assert paths(kept) == ["7.png"]
    by_id = query_flow(folder, Term(id=found[3].id), min_strength=3.5, top_k=40)
    assert paths(by_id) == [found[3].path]


def test_quoted_text_is_never_weak(photos):
    found = query_flow(photos, '"into mordor"', min_strength=3.5)
    assert (paths(found), found[0].weak, found.strong) == ([f"{PAGE}/one.png"], False, 1)


def test_finds_chinese_text_in_quotes(photos):
    write(photos, {"05.png": "我的猫咪很可爱"})
    assert paths(query_flow(photos, '"猫咪"')) == ["05.png"]


SYNTAX = [
    '"',
    '""',
    '"" OR ""',
    "mordor*",
    "NEAR(walk, mordor)",
    "-mordor",
    "^walk",
    "raw: walk",
    "{",
]
SCRIPTS = ["שלום עולם", "مرحبا", "हिन्दी", "e\u0301te\u0301", "👍🏽", "x\0y", "\u202emordor", "猫"]


@pytest.mark.parametrize("mode", ["auto", "text"])
@pytest.mark.parametrize("query", [*SYNTAX, *SCRIPTS])
def test_reads_no_text_as_search_syntax(photos, query, mode):
    try:
        results = query_flow(photos, query, mode=mode, top_k=100)
    except QueryError as error:
        assert mode == "text"
        assert "words" in str(error)  # noqa: PT017 - some are no words, which is said
    else:
        assert mode == "text" or '"' in query or results.total == 12


def test_answers_very_long_query(photos):
    words = " ".join(f"word{number}" for number in range(1200))
    assert query_flow(photos, f"{words} mordor", top_k=1).total == 12
    found = query_flow(photos, "mordor " + "x" * 10_000, top_k=3)
    assert f"{PAGE}/one.png" in paths(found)  # half of the words stand there


def test_rejects_endless_query(photos):
    with pytest.raises(QueryError, match="quoted"):
        query_flow(photos, " ".join(f'"word{number}"' for number in range(1200)))


def test_rejects_unknown_ocr_engine(photos, monkeypatch):
    monkeypatch.delenv("MEMERY_READ_TEXT")
    with pytest.raises(ReaderError, match="nobody"):
        index_flow(photos, reader="nobody")


def test_applies_filters_during_the_search(photos):
    only = query_flow(photos, "red", top_k=2, under=PAGE)
    assert paths(only) == [f"{PAGE}/one.png", f"{PAGE}/two.png"]
    assert only.total == 2
    without = query_flow(photos, "red", top_k=10, where=Filter(not_under=PAGE))
    assert len(without) == without.total == 10
    for has_text, count in ((True, 2), (False, 1), (None, 12)):
        found = query_flow(photos, "red", top_k=99, where=Filter(has_text=has_text))
        assert found.total == len(found) == count


def test_folder_filters_are_relative_to_the_searched_folder(photos):
    paint(photos / f"{PAGE}/deep/three.png", "green")
    index_flow(photos)
    part = photos / PAGE
    assert paths(query_flow(part, "red", under="deep")) == ["deep/three.png"]
    assert len(query_flow(part, "red", where=Filter(not_under="deep"))) == 2
    for outside in ("..", "../memes", "/", "deep/../.."):
        with pytest.raises(QueryError, match="not inside"):
            query_flow(part, "red", under=outside)


def test_filters_by_date_of_photograph_or_file(tmp_path):
    folder = tmp_path / "photos"
    paint(folder / "old.jpg", "red", exif=taken("2019:07:01 12:00:00"))
    paint(folder / "new.jpg", "red", exif=taken("2023:05:20 08:30:00"), size=(41, 30))
    paint(folder / "file.jpg", "red", modified=time.time() - 86_400, size=(42, 30))
    index_flow(folder)

    def found(**dates):
        return sorted(paths(query_flow(folder, "red", refresh=False, **dates)))

    assert found(since="2023") == ["file.jpg", "new.jpg"]
    assert found(until="2019") == ["old.jpg"]
    assert found(since="2023-05", until="2023-05") == ["new.jpg"]
    assert found(since="30d") == ["file.jpg"]
    assert found(since=date.today() - timedelta(days=2)) == ["file.jpg"]
    assert found(until=datetime(2023, 5, 20, 8, 29)) == ["old.jpg"]
    assert found(until="20230520") == found(until="2023-05-20") == ["new.jpg", "old.jpg"]
    assert len(found(until="9999")) == 3
    newest = query_flow(folder, "red", sort="date", refresh=False)
    assert paths(newest) == ["file.jpg", "new.jpg", "old.jpg"]


@pytest.fixture(scope="module")
def dated(tmp_path_factory):
    """60 images in no order of their dates; 12 of them are red, of which two have one date."""
    folder = tmp_path_factory.mktemp("dated") / "photos"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEMERY_MODEL", "colours")
        for number in range(60):
            colour = "red" if number % 5 == 0 else COLOURS[1 + number % 9]
            day = 1_600_000_000 + (number * 37 % 60) * 86_400 - 37 * 86_400 * (number == 35)
            paint(folder / f"{number % 3}/{number:02}.png", colour, (40 + number, 30), modified=day)
        index_flow(folder)
    return folder


def in_pages(folder, size, **asked):
    """Every hit of a search, page by page."""
    total = query_flow(folder, refresh=False, **asked).total
    return [
        hit
        for offset in range(0, total, size)
        for hit in query_flow(folder, refresh=False, top_k=size, offset=offset, **asked)
    ]


@pytest.mark.parametrize("size", [7, 60])
@pytest.mark.parametrize("mode", ["auto", "visual"])
def test_sorts_all_matches_from_page_to_page(dated, size, mode):
    best = in_pages(dated, 60, query="red", mode=mode)
    matches, weak = [hit for hit in best if not hit.weak], [hit for hit in best if hit.weak]
    assert len(matches) == 12
    by_date = sorted(matches, key=lambda hit: hit.path)
    by_date.sort(key=lambda hit: hit.image.date, reverse=True)
    assert in_pages(dated, size, query="red", sort="date", mode=mode) == by_date + weak
    by_name = sorted(matches, key=lambda hit: hit.path)
    assert in_pages(dated, size, query="red", sort="name", mode=mode) == by_name + weak


@pytest.mark.parametrize(
    "asked",
    [
        {"query": "red", "min_strength": -100.0},
        {"query": "submarine", "exclude": "red"},
        {"query": "0", "mode": "text"},
    ],
)
def test_sorts_all_hits_if_none_is_weak(dated, asked):
    best = in_pages(dated, 60, **asked)
    newest = sorted((hit.image.date for hit in best), reverse=True)
    found = in_pages(dated, 7, sort="date", **asked)
    assert [hit.image.date for hit in found] == newest
    assert {hit.path: hit.rank for hit in found} == {hit.path: hit.rank for hit in best}


@pytest.mark.parametrize("sort", ["date", "name"])
def test_best_hits_come_first_if_all_are_weak(dated, sort):
    best = in_pages(dated, 60, query="submarine")
    assert all(hit.weak for hit in best)
    assert in_pages(dated, 7, query="submarine", sort=sort) == best


@pytest.mark.parametrize("sort", ["score", "date"])
def test_sorting_keeps_the_threshold(dated, sort):
    asked = {"query": "submarine", "exclude": "red", "min_strength": 3.5}
    found = query_flow(dated, refresh=False, sort=sort, **asked)
    assert (found.total, len(found)) == (0, 0)


@pytest.mark.parametrize(
    ("query", "wanted", "reason"),
    [
        ('"mordor into"', {}, 'No image contains "mordor into"'),
        ('"xyzzy" red', {"min_strength": 1}, 'No image contains "xyzzy"'),
        ("red", {"under": "nosuch"}, "No indexed image is in the folder 'nosuch'"),
        ("red", {"since": "2100"}, "No image is dated 2100-01-01 00:00 or later."),
        ("red", {"until": "1971"}, "No image is dated 1971-12-31 23:59 or earlier."),
        ("red", {"where": Filter(ext="gif")}, "No image has the extension gif."),
        ("red", {"where": Filter(min_size=(9000, 1))}, "No image has 9000x1 pixels or more."),
        ("red", {"where": Filter(max_size=(2, 2))}, "No image has 2x2 pixels or less."),
        ("red", {"where": Filter(orientation="square")}, "No image has the orientation square."),
        ("red", {"under": PAGE, "where": Filter(has_text=False)}, "Every condition is met by some"),
        ("elephant", {"mode": "text"}, "No image has any of these words"),
        ("red", {"min_strength": 99.0}, "No image has a strength of 99.0 or more."),
    ],
)
def test_empty_answer_names_its_cause(photos, query, wanted, reason):
    found = query_flow(photos, query, **wanted)
    assert (len(found), found.total) == (0, 0)
    (warning,) = found.warnings
    assert warning.startswith(reason)
    assert not query_flow(photos, "red").warnings
    part = query_flow(photos / PAGE, "red", under="deep")
    assert part.warnings == ("No indexed image is in the folder 'deep'. Check its name.",)


@pytest.mark.parametrize(
    "wanted", [{"mode": "psychic"}, {"sort": "luck"}, {"min_strength": float("nan")}, {"top_k": 0}]
)
def test_rejects_invalid_options(photos, wanted):
    with pytest.raises(QueryError):
        query_flow(photos, "red", **wanted)


def test_pages_join_in_every_mode(photos):
    for mode, query in itertools.product(("auto", "visual"), ("walk the red dog", "red")):
        whole = paths(query_flow(photos, query, top_k=100, mode=mode, refresh=False))
        pages = [
            paths(query_flow(photos, query, top_k=5, offset=offset, mode=mode, refresh=False))
            for offset in range(0, 15, 5)
        ]
        assert list(itertools.chain(*pages)) == whole


def test_least_strength_is_a_threshold(photos):
    every = query_flow(photos, "red", top_k=100)
    strengths = [hit.strength for hit in every]
    assert strengths == sorted(strengths, reverse=True)
    least = strengths[2]
    some = query_flow(photos, "red", top_k=100, min_strength=least)
    assert paths(some) == paths(every)[: some.total]
    assert some.total == sum(strength >= least for strength in strengths)
    assert not query_flow(photos, "red", min_strength=1e6)
    assert query_flow(photos, "mordor", min_strength=1e6).total == 1  # its words stand there


def test_folds_exact_copies_into_one_hit(photos):
    (photos / "copies").mkdir()
    for name in ("a.png", "sunset.png"):
        shutil.copy(photos / "00.png", photos / "copies" / name)
    index_flow(photos)
    folded = query_flow(photos, "red", top_k=100)
    assert folded.total == len(folded) == 12
    assert (folded[0].path, folded[0].copies) == ("00.png", 3)
    assert folded[0].copy_paths == ("copies/a.png", "copies/sunset.png")
    assert {hit.copies for hit in folded[1:]} == {1}
    pages = [query_flow(photos, "red", top_k=5, offset=start) for start in (0, 5, 10)]
    assert [hit.path for page in pages for hit in page] == paths(folded)
    assert {page.strong for page in pages} == {sum(not hit.weak for hit in folded)}
    every = query_flow(photos, "red", top_k=100, list_copies=True)
    assert every.total == len(every) == 14
    assert paths(every)[:3] == ["00.png", "copies/a.png", "copies/sunset.png"]
    assert {hit.copies for hit in every} == {1}
    # The copy whose name was asked for stands for the others.
    named = query_flow(photos, "sunset", mode="text")
    assert [(hit.path, hit.copies) for hit in named] == [("copies/sunset.png", 3)]
    within = query_flow(photos, "red", under="copies")
    assert [(hit.path, hit.copy_paths) for hit in within] == [
        ("copies/a.png", ("copies/sunset.png",))
    ]
    with Memery(photos) as memery:
        similar = memery.similar(photos / "01.png", top_k=100)
        assert (similar.total, similar[0].copies + similar[1].copies) == (11, 4)
        assert memery.similar(photos / "01.png", top_k=100, list_copies=True).total == 13
        assert memery.recall("red", where=Filter(under="copies"), min_strength=1).total == 1


def test_counts_strong_hits_beyond_the_page(tmp_path):
    folder = tmp_path / "photos"
    for number in range(300):
        paint(folder / f"{number}.png", "red" if number < 20 else COLOURS[number % 9 + 1],
              size=(40 + number, 30))  # fmt: skip
    index_flow(folder)
    every = query_flow(folder, "red", top_k=400)
    assert every.strong == sum(not hit.weak for hit in every) == 20
    for wanted in ({"top_k": 3}, {"top_k": 3, "offset": 15}, {"top_k": 3, "min_strength": 0.0}):
        assert query_flow(folder, "red", **wanted).strong == 20


def test_similar_leaves_out_the_image_itself(photos):
    with Memery(photos) as memery:
        results = memery.similar(photos / "00.png", top_k=3)
        assert "00.png" not in paths(results)
        assert results.total == 11
        elsewhere = paint(photos.parent / "elsewhere.png", "#dc1e1f", size=(50, 50))
        assert set(paths(memery.similar(elsewhere, top_k=3))) == {
            "00.png",
            f"{PAGE}/one.png",
            f"{PAGE}/two.png",
        }
        assert paths(memery.similar(results[0], top_k=1, where=Filter(under=PAGE)))
        with pytest.raises(ImageError):
            memery.similar(photos / "nothing.png")
        with pytest.raises(QueryError, match="image"):
            memery.similar(Term(text="red"))


def test_does_not_encode_an_indexed_query_image(photos, monkeypatch):
    with Memery(photos) as memery:
        monkeypatch.setattr(
            "memery.testing.ColourModel.encode_images", lambda *_: pytest.fail("encoded again")
        )
        assert memery.similar(photos / "00.png")
        assert memery.recall(image_query=photos / "00.png")[0].path == "00.png"


def given_images(folder):
    """The third colour in every form in which a caller may have it."""
    path = folder / "02.png"
    pixels = np.asarray(Image.open(path))
    alpha = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    stream = io.BytesIO(path.read_bytes())
    yield from (path, path.read_bytes(), bytearray(path.read_bytes()), stream)
    with path.open("rb") as file:
        yield file
    yield from (pixels, alpha, pixels[::2, ::-1], Image.open(path), Image.fromarray(alpha))
    yield from (Image.open(path).convert(mode) for mode in ("CMYK", "YCbCr", "P", "HSV", "RGBa"))


def test_accepts_query_images_in_many_forms(photos):
    for given in given_images(photos):
        with Memery(photos) as memery:
            assert memery.recall(image_query=given, top_k=1)[0].path == "02.png"
    with Memery(photos) as memery:
        for given in given_images(photos):
            assert memery.recall(given, top_k=1)[0].path == "02.png"
        for given in given_images(photos):
            assert memery.recall([given], top_k=1)[0].path == "02.png"
        with (photos / "02.png").open("rb") as file:
            assert "02.png" not in paths(memery.similar(file, top_k=100))
        text_and_image = ["red", Image.open(photos / "02.png")]
        assert {hit.path for hit in memery.recall(text_and_image, top_k=2)} <= {"00.png", "02.png"}
        less = memery.recall("red", exclude_images=np.asarray(Image.open(photos / "02.png")))
        assert less[0].path == "00.png"
        grey = np.full((30, 40), 128, np.uint8)
        assert memery.recall(grey, top_k=1)[0].path == "09.png"


def test_turns_query_image_upright(photos):
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(stream, "JPEG", exif=exif)
    image = Image.open(stream)
    (term,) = make_query(image).terms
    assert Image.open(io.BytesIO(term.image)).size == (20, 40)


@pytest.mark.parametrize(
    "given",
    [
        5,
        1.5,
        {"red": 1},
        [5],
        [None],
        object(),
        io.StringIO("red"),
        np.zeros((3, 4)),
        np.zeros((3, 4), np.int64),
        np.zeros(9, np.uint8),
        np.zeros((3, 4, 2), np.uint8),
        np.zeros((0, 4), np.uint8),
    ],
)
def test_rejects_query_of_another_type(photos, given):
    for where in ("query", "image_query", "exclude", "exclude_images", "more"):
        with pytest.raises(QueryTypeError, match=r"uint8|binary mode|Use a str"):
            make_query(**{where: given})
    assert issubclass(QueryTypeError, (QueryError, TypeError))


def test_bounds_what_is_read_of_an_open_file(monkeypatch):
    monkeypatch.setattr("memery.query.image_inputs.FILE_BYTES_MAX", 10)
    with pytest.raises(QueryError, match="more than 10 bytes"):
        make_query(io.BytesIO(b"x" * 11))
    assert make_query(io.BytesIO(b"x" * 10)).terms[0].image == b"x" * 10
    closed = io.BytesIO()
    closed.close()
    with pytest.raises(QueryError, match="cannot be read"):
        make_query(closed)
    with pytest.raises(QueryError, match="empty"):
        make_query(io.BytesIO())
    with pytest.raises(QueryError, match="PIL image"):
        make_query(Image.new("RGB", (0, 5)))


def test_feedback_changes_the_ranking(photos):
    before = query_flow(photos, "red", top_k=100)
    after = query_flow(photos, "red", more=[photos / "02.png"], less=before[:2], top_k=100)
    ranks = [paths(answer).index("02.png") for answer in (before, after)]
    assert ranks[1] < ranks[0]
    assert after[ranks[1]].score > before[ranks[0]].score
    wrong = before[0].path
    assert after[paths(after).index(wrong)].score < before[0].score
    boosts = [term.boost for term in after.query.terms]
    assert boosts[0] == 1
    assert boosts[1] > 0 > boosts[2] == boosts[3]


def test_encodes_quoted_text_without_quotation_marks(photos):
    with Memery(photos) as memery:
        plain, quoted = (memery.recall(Term(text=t), mode="visual") for t in ("red", '"red"'))
        assert [hit.score for hit in plain] == [hit.score for hit in quoted]


@pytest.mark.parametrize("day", ["0001", "1600", "1677-12-31", "2262", "9998", date.min, date.max])
def test_accepts_dates_that_no_file_can_have(photos, day):
    year = day.year if isinstance(day, date) else int(day[:4])
    with Memery(photos) as memery:
        everything = memery.recall("red").total
        since, until = memery.recall("red", since=day).total, memery.recall("red", until=day).total
    assert (since, until) == ((everything, 0) if year < 2000 else (0, everything))


@pytest.mark.parametrize(
    ("mtime_ns", "nearest", "conditions"),
    [
        (2**63 - 1, {"since": "2262-04-11"}, [{"since": "2263"}, {"since": "9999"}]),
        (-(2**63) + 2, {"until": "1677-09-22"}, [{"until": "1600"}, {"until": "0001"}]),
    ],
)
def test_finds_no_file_dated_out_of_range_by_a_date_further_out(
    photos, mtime_ns, nearest, conditions
):
    """Such a file counts as the last, or the first, moment that can be stored.

    The moment is written into the archive, because few file systems have such dates.
    """
    Image.new("RGB", (30, 20), "red").save(photos / "strange.png")
    with Memery(photos) as memery:
        memery.build()
        with contextlib.closing(sqlite3.connect(memery.archive.store)) as db, db:
            db.execute("UPDATE files SET mtime_ns = ? WHERE path = ?", (mtime_ns, b"strange.png"))
        assert paths(memery.recall("red", **nearest)) == ["strange.png"]
        assert [paths(memery.recall("red", **one)) for one in conditions] == [[], []]
