"""The names that the world may use, and the small promises of their values."""

import os
import re

import pytest

import memery
from memery.errors import QueryError
from memery.imaging.html_grid import GridCell, grid_html
from memery.query.terms import Query, Term
from memery.results import Results
from memery.text.escaping import printable
from memery.types import Hit, ImageFile
from support.images import paint


def test_exports_only_documented_names():
    assert sorted(memery.__all__) == [
        "Copy",
        "DuplicateGroup",
        "Filter",
        "Hit",
        "IndexReport",
        "Memery",
        "MemeryError",
        "Progress",
        "Query",
        "Results",
        "Skip",
        "Term",
        "__version__",
        "index_flow",
        "query_flow",
    ]
    for name in memery.__all__:
        assert getattr(memery, name) is not None
    assert set(dir(memery)) == set(memery.__all__)
    with pytest.raises(AttributeError):
        memery.nonsense  # noqa: B018


def results(folder, count=3):
    hits = []
    for number in range(count):
        path = f"<b>{number}.png"
        paint(folder / path, "red", (400, 300))
        image = ImageFile(path, 1, 2, "00" * 32, 400, 300, "PNG")
        hits.append(Hit(number + 1, path, 0.5, image, str(folder / path)))
    return Results(tuple(hits), 99, Query((Term(text="x"),)), "m")


def test_results_are_a_sequence_of_paths(tmp_path):
    found = results(tmp_path)
    assert len(found) == 3
    assert found[0] in found
    assert [hit.rank for hit in found[1:]] == [2, 3]
    assert os.fspath(found[0]) == str(tmp_path / "<b>0.png")
    assert re.fullmatch("[0-9a-f]{32}", found[0].id)
    assert len({hit.id for hit in found}) == 3


def test_html_grid_escapes_names(tmp_path):
    found = results(tmp_path)
    (tmp_path / "<b>2.png").write_text("broken")
    page = found._repr_html_()
    assert "<b>" not in page
    assert page.count("data:image/jpeg;base64,") == 2
    assert "cannot be shown" in page
    grid = grid_html([GridCell(found[0], "<script>alert(1)</script>\x1b[31m")])
    assert "<script" not in grid
    assert "\x1b" not in grid
    assert not re.search(r'(src|href)="(?!data:)', grid)
    assert printable("é\n\udcff\ud800") == "é\\n\\xff\\ud800"


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"text": "a", "image": "b"},
        {"text": "  "},
        {"text": "\udcff"},
        {"image": ""},
        {"text": "a", "boost": 0},
        {"text": "a", "boost": float("nan")},
    ],
)
def test_rejects_invalid_terms(arguments):
    with pytest.raises(QueryError):
        Term(**arguments)
