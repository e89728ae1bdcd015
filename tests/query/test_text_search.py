"""Words: cut alike wherever they come from, split without loss, corrected within one edit."""

import json
import sqlite3
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memery.errors import QueryError
from memery.query.text_search.names import name_words
from memery.query.text_search.query_words import parse_text, parse_words, unquoted
from memery.query.text_search.splitting import split, split_text
from memery.query.text_search.tokens import (
    content_words,
    edits1,
    split_cjk,
    strip_apostrophes,
    tokens,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


TYPED = json.loads(Path(__file__).with_name("texts.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("typed", "terms"), TYPED)
def test_parses_text_into_terms(typed, terms):
    """The page reads the same cases: tests/page/suite_field.py."""
    assert [list(term) for term in parse_text(typed)] == terms


@given(TEXT)
def test_parses_any_text(typed):
    try:
        assert parse_text(typed)
    except QueryError:
        assert "^" in typed


def test_finds_a_korean_word_with_its_ending():
    """The ideographs of U+F900 on are no other letters to an editor: the range is in escapes."""
    (cat,) = content_words("고양이")
    assert tokens(split_cjk("고양이가 잔다"))[: len(cat)] == list(cat)
    assert content_words("개") == [("개",)]
    assert tokens(split_cjk("\ufa0e\ufa11猫")) == ["\ufa0e", "\ufa11", "猫"]


@pytest.fixture(scope="module")
def table():
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE t USING fts5(w, tokenize='unicode61 remove_diacritics 2')")
    yield db
    db.close()


@given(TEXT)
def test_fts5_finds_split_tokens_as_a_phrase(table, text):
    """Whatever its own tables of Unicode say: both sides went through the same cut."""
    words = tokens(text)
    stored = " ".join(words)
    table.execute("DELETE FROM t")
    table.execute("INSERT INTO t VALUES (?)", (stored,))
    whole = table.execute("SELECT count(*) FROM t WHERE t MATCH ?", (f'"{stored}"',)).fetchone()
    table.execute("INSERT INTO t VALUES ('')")
    empty = not any(_seen_by_fts(table, word) for word in words)
    assert whole == (0 if empty else 1,)


def _seen_by_fts(table, word):
    table.execute("INSERT INTO t VALUES (?)", (word,))
    found = table.execute("SELECT count(*) FROM t WHERE t MATCH ?", (f'"{word}"',)).fetchone()[0]
    return bool(found)


@given(st.text(st.characters(codec="latin-1")))
def test_composed_and_decomposed_characters_are_equal(text):
    assert tokens(unicodedata.normalize("NFD", text)) == tokens(text)


@given(TEXT)
def test_does_not_change_tokens(text):
    assert tokens(" ".join(tokens(text))) == tokens(text)


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789é", max_size=90))
def test_splitting_keeps_every_letter(token):
    assert "".join(split(token)) == token


@pytest.mark.parametrize(
    ("glued", "words"),
    [
        ("thisisfine", ["this", "is", "fine"]),
        ("onedoesnotsimply", ["one", "does", "not", "simply"]),
        ("personcutting", ["person", "cutting"]),
        ("elephant", ["elephant"]),
        ("xqzvkjw", ["xqzvkjw"]),
    ],
)
def test_splits_joined_words(glued, words):
    assert split(glued) == words


def test_splits_nearly_all_of_the_glued_tokens_as_they_were_meant():
    """Of 150: wordninja 135, symspellpy 133 (docs/decisions)."""
    lines = Path(__file__).with_name("glued.txt").read_text(encoding="utf-8").splitlines()
    meant = [line.split() for line in lines if not line.startswith("#")]
    assert len(meant) == 150
    assert sum(split("".join(words)) == words for words in meant) >= 142


@given(st.text("abcdefgh", min_size=4, max_size=8))
def test_edits1_gives_words_one_edit_away(token):
    for other in edits1(token):
        assert _within_one_edit(token, other)


def _within_one_edit(one, two):
    if len(one) == len(two):
        wrong = [n for n, (a, b) in enumerate(zip(one, two, strict=True)) if a != b]
        swapped = len(wrong) == 2 and wrong[1] == wrong[0] + 1
        return len(wrong) <= 1 or (swapped and one[wrong[0]] == two[wrong[1]])
    short, long = sorted((one, two), key=len)
    return any(short == long[:n] + long[n + 1 :] for n in range(len(long)))


def test_words_match_with_and_without_apostrophe():
    assert tokens("DON'T") == ["don", "t"]
    assert split_text("DON’T panic, man's hat") == "dont panic mans hat"
    assert content_words("man's hat") == content_words("mans hat")
    assert strip_apostrophes("'quoted' rock 'n' roll") == "'quoted' rock 'n' roll"


@pytest.mark.parametrize("text", ['"', "*", "(", "-", ":", "^", "AND OR NOT", "\0", "", "🙂"])
def test_ignores_search_syntax(text):
    assert parse_words([text]).content == ()


def test_bounds_words_of_a_long_text():
    words = parse_words([" ".join(f"word{n}" for n in range(2000))])
    assert len(words.content) == 32


def test_splits_text_of_any_script():
    assert tokens("שלום עולם") == ["שלום", "עולם"]
    assert tokens("مرحبا") == ["مرحبا"]
    assert content_words("日本") == [("日", "本")]
    assert split_cjk("a日b") == "a 日 b"


def test_reads_quotation_marks_of_any_kind():
    assert parse_words(['a "red car" „so nicht“ «ça va»']).quoted == (
        "red car",
        "so nicht",
        "ça va",
    )
    assert unquoted('a "red car"') == "a red car"
    assert unquoted('""') == '""'


def test_ignores_names_given_by_machines():
    assert name_words("DCIM/IMG_1234.jpg") == []
    assert name_words("Screenshot 2024-01-02 at 10.11.12.png") == []
    assert name_words("summer-holiday/GrumpyCat_2019.jpg") == [
        *("summer", "holiday", "grumpy", "cat", "2019"),
    ]
