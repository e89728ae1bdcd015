"""A filter is added in its definition and its SQL alone, and every entry point has it.

The two edits are made in a copy of the package, whose other files are links to the real ones.
"""

import json
import os
import shutil
from pathlib import Path

import pytest

import memery
from memery.query.options import search_parameters
from support.commands import run_python
from support.images import paint
from support.servers.memery import serving

PACKAGE = Path(memery.__file__).parent
HELP = "Only images whose longer side has this many pixels or fewer."
DEFINITION = f'''    max_side: int = parameter(
        0,
        "{HELP}",
        kind=int,
        minimum=0,
        unmatched=lambda side: f"No image has a longer side of {{side}} pixels or fewer.",
    )
    quoted: Names = ()
'''
CONDITION = """    if filter.max_side:
        parts.append(("max(width, height) <= ?", (filter.max_side,)))
    parts += [_quoted(phrase)"""
LIBRARY = """
import inspect, json, sys
from memery import Memery, query_flow
shown = [
    "max_side" in inspect.signature(function).parameters and "max_side: Only" in function.__doc__
    for function in (query_flow, Memery.recall, Memery.similar)
]
found = query_flow(sys.argv[1], "red", max_side=50)
nothing = query_flow(sys.argv[1], "red", max_side=5)
print(json.dumps([shown, [hit.path for hit in found], nothing.warnings]))
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    paint(folder / "small.png", "red")
    paint(folder / "large.png", "red", (400, 300))
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The environment of a program that imports the package with one more filter."""
    place = tmp_path_factory.mktemp("package")
    copy = place / "memery"
    shutil.copytree(
        PACKAGE, copy, copy_function=os.symlink, ignore=shutil.ignore_patterns("__pycache__")
    )
    for file, before, after in (
        ("query/filters.py", "    quoted: Names = ()\n", DEFINITION),
        ("stores/sqlite/filter_sql.py", "    parts += [_quoted(phrase)", CONDITION),
    ):
        source = (PACKAGE / file).read_text(encoding="utf-8")
        assert source.count(before) == 1
        (copy / file).unlink()
        (copy / file).write_text(source.replace(before, after), encoding="utf-8")
    return {
        "PYTHONPATH": str(place),
        "MEMERY_MODEL": "colours",
        "MEMERY_CONFIG": str(place / "no-config.toml"),
        "XDG_CACHE_HOME": str(place / "cache"),
        "MEMERY_READ_TEXT": "0",
        "COLUMNS": "200",
    }


def run(environment, *arguments):
    return run_python(*arguments, env=os.environ | environment, timeout=60).stdout


def test_library_has_added_filter(environment, photos):
    shown, found, warnings = json.loads(run(environment, "-c", LIBRARY, photos))
    assert shown == [True, True, True]
    assert found == ["small.png"]
    assert warnings == ["No image has a longer side of 5 pixels or fewer."]


def test_command_line_has_added_filter(environment, photos):
    assert HELP in " ".join(run(environment, "-m", "memery", "recall", "--help").split())
    arguments = ("recall", photos, "red", "--max-side", "50", "--format", "paths")
    assert run(environment, "-m", "memery", *arguments) == f"{photos / 'small.png'}\n"


def test_rest_has_added_filter(environment, photos):
    with serving(photos, environment=environment) as server:
        server.wait_until_indexed()
        described = server.get("/v1/openapi.json").json()
        for path in ("/v1/search", "/v1/images", "/v1/images/{id}/similar", "/v1/facets"):
            parameters = {one["name"]: one for one in described["paths"][path]["get"]["parameters"]}
            assert parameters["max_side"]["description"] == HELP, path
            assert parameters["max_side"]["schema"]["minimum"] == 0, path
        body = described["paths"]["/v1/search"]["post"]["requestBody"]["content"]
        schema = body["application/json"]["schema"]
        assert schema["properties"]["max_side"]["description"] == HELP
        assert "$ref" not in json.dumps(schema)
        hits = server.get("/v1/search?text=red&max_side=50").json()["hits"]
        assert [hit["path"] for hit in hits] == ["small.png"]


@pytest.mark.parametrize("name", ["not_under", "not_ext", "min_size", "not_orientation"])
def test_no_entry_point_names_filter(name):
    assert name in search_parameters()
    sources = [PACKAGE / "core.py", *PACKAGE.glob("gateway/**/*.py")]
    assert not [path for path in sources if name in path.read_text(encoding="utf-8")]
