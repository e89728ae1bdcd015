"""Counts with nouns in the singular or plural."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str = "") -> str:
    """Format a count with its noun: "1 image", "2 images".

    Args:
        count: the number.
        noun: the singular.
        plural: the plural, if it is not the singular with s.
    """
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"
