"""Filters: what users may write for each condition, and which conditions go together."""

from datetime import date, datetime, timedelta, timezone

import pytest

from memery import Filter
from memery.errors import FilterConflict, QueryError


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2023", "2023-01-01", "2023-12-31"),
        ("2023-02", "2023-02-01", "2023-02-28"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2023-05-31", "2023-05-31", "2023-05-31"),
        ("20230531", "2023-05-31", "2023-05-31"),
        (" 2023-05 ", "2023-05-01", "2023-05-31"),
        (date(2023, 5, 31), "2023-05-31", "2023-05-31"),
    ],
)
def test_date_spans_from_its_first_to_its_last_moment(text, first, last):
    assert Filter(since=text).earliest == datetime.fromisoformat(first)
    assert Filter(until=text).latest == datetime.fromisoformat(f"{last}T23:59:59.999999")


def test_date_with_a_time_is_one_moment():
    moment = datetime(2023, 5, 31, 10, 30)
    for given in ("2023-05-31T10:30", "2023-05-31 10:30:00", moment):
        both = Filter(since=given, until=given)
        assert (both.earliest, both.latest) == (moment, moment)


@pytest.mark.parametrize(("age", "days"), [("0d", 0), ("30d", 30), ("6w", 42), ("3m", 90)])
def test_age_counts_back_from_now(age, days):
    before = datetime.now() - timedelta(days=days)
    earliest = Filter(since=age).earliest
    assert before <= earliest <= datetime.now() - timedelta(days=days)


@pytest.mark.parametrize("moment", [datetime.min, datetime.max])
def test_accepts_moment_at_either_end_of_time(moment):
    assert Filter(since=moment).since == moment
    for hours in (-14, 14):
        zone = timezone(timedelta(hours=hours))
        assert Filter(until=moment.replace(tzinfo=zone)).latest


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ("jpg", ("jpg",)),
        (".JPG", ("jpg",)),
        (("png", " .Gif "), ("gif", "png")),
        (["webp"], ("webp",)),
        ((), ()),
    ],
)
def test_extensions_are_held_in_lower_case_without_dot(given, held):
    assert Filter(ext=given).ext == Filter(not_ext=given).not_ext == held


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ("", ""),
        (".", ""),
        ("trip/", "trip"),
        ("./trip//day 1", "trip/day 1"),
        ("trip/../home", "home"),
        ("...", "..."),
        ("caf\udce9", "caf\udce9"),
    ],
)
def test_folder_is_normalized(given, held):
    assert Filter(given).under == held
    assert Filter(given).prefix == (f"{held}/" if held else "")
    assert Filter(not_under=given).not_under == ((held,) if held else ())


@pytest.mark.parametrize(
    ("given", "held"), [("1000x800", (1000, 800)), (" 5X7 ", (5, 7)), ((0, 3), (0, 3))]
)
def test_size_is_width_and_height(given, held):
    assert Filter(min_size=given).min_size == held
    assert Filter(min_size=given).sides[:2] == held


def test_size_of_zero_is_no_limit():
    assert Filter(min_size="5000x5000", max_size="0x0") == Filter(min_size="5000x5000")
    width_only = Filter(min_size="10x5000", max_size="20x0")
    assert width_only.sides[2] == 20
    assert width_only.sides[3] > 5000


@pytest.mark.parametrize(
    "condition",
    [
        {"since": "2023-02-30"},
        {"since": "2023-13"},
        {"since": "0000"},
        {"until": "yesterday"},
        {"until": ""},
        {"since": "99999y"},
        {"since": "-3d"},
        {"since": 2023},
        {"ext": "a/b"},
        {"ext": "tar.gz"},
        {"ext": ""},
        {"ext": "\ud800"},
        {"ext": ["jpg"] * 101},
        {"not_ext": "."},
        {"orientation": "round"},
        {"not_orientation": "Square"},
        {"min_size": "large"},
        {"min_size": "10"},
        {"min_size": "-1x2"},
        {"max_size": (-1, 2)},
        {"min_size": (5,)},
        {"min_size": 5},
        {"min_size": (1.5, 2)},
        {"min_size": (1 << 70, 1)},
        {"max_size": (1, 1 << 70)},
        {"under": "../.."},
        {"under": "/trip"},
        {"under": "trip/../.."},
        {"under": "\ud800"},
        {"under": "a\0b"},
        {"not_under": ("..",)},
        {"not_under": ["a"] * 101},
        {"not_digest": "zz"},
        {"not_digest": "A" * 64},
        {"quoted": ["x"] * 101},
    ],
)
def test_rejects_value_that_makes_no_sense(condition):
    with pytest.raises(QueryError):
        Filter(**condition)


@pytest.mark.parametrize("name", ["ext", "not_ext", "not_under", "quoted"])
def test_accepts_a_hundred_values(name):
    assert len(getattr(Filter(**{name: [f"a{number:02}" for number in range(100)]}), name)) == 100


@pytest.mark.parametrize(
    ("condition", "fields"),
    [
        ({"since": "2024", "until": "2023"}, ("since", "until")),
        ({"since": "2023-05-02", "until": "2023-05-01"}, ("since", "until")),
        ({"min_size": "100x100", "max_size": "99x500"}, ("min_size", "max_size")),
        ({"min_size": "100x100", "max_size": "500x99"}, ("min_size", "max_size")),
        ({"orientation": "square", "not_orientation": "square"},
         ("orientation", "not_orientation")),
        ({"ext": "jpg", "not_ext": ["JPG", "png"]}, ("ext", "not_ext")),
        ({"under": "a/b", "not_under": "a"}, ("under", "not_under")),
        ({"under": "a", "not_under": "a"}, ("under", "not_under")),
    ],
)  # fmt: skip
def test_names_conditions_that_exclude_each_other(condition, fields):
    with pytest.raises(FilterConflict) as caught:
        Filter(**condition)
    assert caught.value.fields == fields
    assert all(name in str(caught.value) for name in fields)
    for name in fields:
        Filter(**{name: condition[name]})


@pytest.mark.parametrize(
    "condition",
    [
        {"since": "2023-05", "until": "2023-05"},
        {"min_size": "100x100", "max_size": "100x100"},
        {"orientation": "square", "not_orientation": "portrait"},
        {"ext": ("jpg", "png"), "not_ext": "png"},
        {"under": "a", "not_under": "a/b"},
        {"under": "ab", "not_under": "a"},
    ],
)
def test_accepts_conditions_that_some_image_can_meet(condition):
    assert Filter(**condition) != Filter()


def test_equal_conditions_make_equal_filters_however_they_are_written():
    given = Filter("trip/", ext=["PNG", ".jpg"], min_size="10x20", since="2023")
    assert given == Filter("trip", ext=("jpg", "png"), min_size=(10, 20), since=date(2023, 1, 1))
    assert hash(given) == hash(Filter("trip", ext=["jpg", "png"], min_size="10x20", since="2023"))


def test_filter_of_a_folder_has_no_other_condition():
    assert Filter().is_folder
    assert Filter("trip").is_folder
    assert not Filter("trip", has_text=False).is_folder


def test_folders_can_be_made_relative_to_one_further_up():
    inner = Filter("day 1", not_under=("day 1/raw", "old"), ext="jpg").within("trip")
    assert inner == Filter("trip/day 1", not_under=("trip/day 1/raw", "trip/old"), ext="jpg")
    assert Filter().within("trip") == Filter("trip")
