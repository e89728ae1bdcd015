"""Escaping of untrusted names for display."""

from __future__ import annotations


def printable(text: str) -> str:
    """Escape the control characters and undecodable bytes of a text."""
    return "".join(
        char
        if char.isprintable()
        else char.encode("unicode_escape", "surrogatepass").decode("ascii")
        for char in text
    )
