"""Numbers with their nouns."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number and its noun: "1 image", "2 images"; a plural of another form is given."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"
