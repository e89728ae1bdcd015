"""The one definition of what a search can be asked for, and the library's use of it."""

import inspect
from datetime import datetime

import pytest

from memery import Filter, Memery, query_flow
from memery.errors import QueryError
from memery.query.options import SearchOptions, search_parameters


def test_values_are_sorted_into_options_and_filter():
    options = SearchOptions.of({"top_k": 5, "under": "trip", "ext": ["JPG", ".png"]})
    assert options == SearchOptions(5, filter=Filter("trip", ext=("jpg", "png")))


def test_given_values_replace_those_of_the_filter_and_defaults_do_not():
    where = Filter("trip", since="2023", has_text=False)
    options = SearchOptions.of(
        {"under": "", "since": None, "until": "2024", "has_text": True}, where
    )
    assert options.filter.under == "trip"
    assert options.filter.earliest == datetime(2023, 1, 1)
    assert options.filter.latest.year == 2024
    assert options.filter.has_text is True


def test_rejects_unknown_parameter():
    with pytest.raises(TypeError, match="no parameter 'topk'"):
        SearchOptions.of({"topk": 5})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("top_k", 0),
        ("offset", -1),
        ("mode", "nose"),
        ("sort", "size"),
        ("min_strength", float("nan")),
        ("orientation", "round"),
        ("not_ext", ["a"] * 101),
    ],
)
def test_rejects_value_and_names_its_field(name, value):
    with pytest.raises(QueryError, match=name):
        SearchOptions.of({name: value})


@pytest.mark.parametrize(
    ("function", "omitted"),
    [(query_flow, set()), (Memery.recall, set()), (Memery.similar, {"mode"})],
)
def test_signature_and_docstring_show_every_parameter(function, omitted):
    parameters = inspect.signature(function).parameters
    documentation = inspect.getdoc(function)
    for name, defined in search_parameters().items():
        assert (name in parameters) == (name not in omitted), name
        assert (f"\n    {name}: {defined.help}" in documentation) == (name not in omitted), name
    assert "{options}" not in documentation


def test_library_rejects_misspelt_keyword(tmp_path):
    with pytest.raises(TypeError, match="topk"):
        query_flow(tmp_path, "red", topk=3)
    with Memery(tmp_path, model="colours") as memery:
        with pytest.raises(TypeError, match="topk"):
            memery.recall("red", topk=3)
        with pytest.raises(TypeError, match="mode"):
            memery.similar("red.png", mode="text")
