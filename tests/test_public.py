"""The names that the world may use, and the small promises of their values."""

import json
import os
import re

import pytest
from PIL import Image

import memery
from memery.config import Config, load_config, processors, quota
from memery.errors import ConfigError, QueryError
from memery.imaging.html_grid import Picture, grid_html
from memery.query.terms import Query, Term
from memery.results import Results
from memery.text.escaping import printable
from memery.types import Hit, ImageFile


def test_exports_are_pinned():
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
        Image.new("RGB", (400, 300), "red").save(folder / path)
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


def test_pages_show_names_and_never_run_them(tmp_path):
    found = results(tmp_path)
    (tmp_path / "<b>2.png").write_text("broken")
    page = found._repr_html_()
    assert "<b>" not in page
    assert page.count("data:image/jpeg;base64,") == 2
    assert "cannot be shown" in page
    grid = grid_html([Picture(found[0], "<script>alert(1)</script>\x1b[31m")])
    assert "<script" not in grid
    assert "\x1b" not in grid
    assert not re.search(r'(src|href)="(?!data:)', grid)
    assert printable("é\n\udcff") == "é\\n\\udcff"


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
def test_terms_that_are_none(arguments):
    with pytest.raises(QueryError):
        Term(**arguments)


def test_settings_come_in_order(tmp_path, monkeypatch):
    file = tmp_path / "config.toml"
    file.write_text(f"batch_size = 7\nworkers = 3\narchive = {json.dumps('~/there')}\n")
    monkeypatch.setenv("MEMERY_CONFIG", str(file))
    monkeypatch.setenv("MEMERY_WORKERS", "5")
    config = load_config(model="m", batch_size=None)
    assert (config.batch_size, config.workers, config.threads, config.model) == (7, 5, 5, "m")
    assert config.archive.is_absolute()
    assert load_config(workers=1).workers == 1
    assert Config().threads >= 1


@pytest.mark.parametrize(
    "text", ["batch_size = 0", "workers = -1", "batch_size = 'x'", "archive = '~nobody-here/x'"]
)
def test_settings_that_make_no_sense(tmp_path, monkeypatch, text):
    (tmp_path / "config.toml").write_text(text)
    monkeypatch.setenv("MEMERY_CONFIG", str(tmp_path / "config.toml"))
    with pytest.raises(ConfigError):
        load_config()


def test_a_containers_quota_counts_as_processors(tmp_path):
    assert quota(tmp_path) > 1000
    for text, expected in (
        ("max 100000\n", None),
        ("150000 100000\n", 2),
        ("50000 100000", 1),
        ("400000 100000", 4),
        ("nonsense", None),
        ("1 0", None),
    ):
        (tmp_path / "cpu.max").write_text(text)
        assert quota(tmp_path) == expected or (expected is None and quota(tmp_path) > 1000)
    assert 1 <= processors() <= os.cpu_count()
