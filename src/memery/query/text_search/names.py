"""The words in the names of files and folders, without those that cameras and programs give."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import unicodedata

from memery.query.text_search.tokens import split_cjk, strip_apostrophes, tokens

_BY_MACHINE = re.compile(
    r"""
    (?:img|image|dsc|dscn|dscf|dcim|pxl|mvimg|pano|gopr|gh\d\d|vid|mov|sam|cimg|p|l|wp|wa|fb_img|scan|pict|
       burst|snap|untitled|unknown|received|original|copy|edited|resized|thumbnail|thumb|large|small)
        [\s_-]*\(?\d+\)?
    | (?:screen[\s_-]?shot|bildschirmfoto|whatsapp[\s_-]image|signal|telegram|photo|picture)
        [\s_-]*(?:from|at|von)?[\s_-]*\d(?:[\d\s_.:-]|at\s|um\s)*
    | [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}
    | (?<![^\W_])(?=[a-z]*\d)[0-9a-f]{8,}(?![^\W_])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_YEAR = re.compile(r"(?:19|20)\d\d")
_GIVEN_BY_MACHINES = frozenset(
    [
        "img",
        "dsc",
        "dscn",
        "dscf",
        "dcim",
        "pxl",
        "mvimg",
        "jpg",
        "jpeg",
        "png",
        "webp",
        "gif",
        "wa",
    ]
)


def name_words(path: str) -> list[str]:
    """The tokens of a path that a person may have meant; of numbers only years.

    Args:
        path: with `/`; undecodable bytes as surrogate escapes.
    """
    bare = posixpath.splitext(path)[0]
    parts = (_CAMEL.sub(" ", _BY_MACHINE.sub(" ", part)) for part in bare.split("/"))
    return [
        token
        for part in parts
        for token in _tokens(part)
        if (len(token) > 1 or not token.isascii())
        and token not in _GIVEN_BY_MACHINES
        and (not token.isdecimal() or _YEAR.fullmatch(token))
    ]


def all_name_words(path: str) -> list[str]:
    """Every token of a path, for quoted words and numbers beside words."""
    return _tokens(path)


def folded_name(name: str) -> str:
    """A name without the differences of case and of Unicode's composed and decomposed forms."""
    name = _from_utf8(name)
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def name_keys(name: str) -> tuple[bytes, ...]:
    """What a file or folder called so is looked up by: folded, with and without an extension."""
    last = posixpath.basename(folded_name(name).rstrip("/"))
    keys = dict.fromkeys((last, posixpath.splitext(last)[0]))
    return tuple(_key(key) for key in keys if key)


def file_key(path: str) -> bytes:
    """What a file is looked up by: its folded name without the extension."""
    return _key(posixpath.splitext(posixpath.basename(folded_name(path)))[0])


def folder_key(path: str) -> bytes:
    """What a folder is looked up by: its folded name."""
    return _key(posixpath.basename(folded_name(path)))


def matches_name(path: str, name: str, *, folder: bool = False) -> bool:
    """Whether a file's path ends in a name, of one component or more.

    The extension of a file may be missing in the name; a folder has none.
    """
    wanted = folded_name(name).strip("/").split("/")
    *above, last = folded_name(path).split("/")[-len(wanted) :]
    return [*above, last] == wanted or (
        not folder and [*above, posixpath.splitext(last)[0]] == wanted
    )


def _tokens(name: str) -> list[str]:
    return tokens(
        split_cjk(strip_apostrophes(_from_utf8(name).encode("utf-8", "ignore").decode("utf-8")))
    )


def _from_utf8(name: str) -> str:
    """A name as UTF-8 has it, where the locale decodes the names of files otherwise.

    What the locale has no characters for is a query that was UTF-8 already.
    """
    with contextlib.suppress(UnicodeEncodeError):
        return os.fsencode(name).decode("utf-8", "surrogateescape")
    return name


def _key(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")  # one key in every locale
