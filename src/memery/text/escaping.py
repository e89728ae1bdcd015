"""Names that any program may have given, made safe to show."""

from __future__ import annotations


def printable(text: str) -> str:
    """A text with its control characters and undecodable bytes as escape sequences."""
    return "".join(
        char
        if char.isprintable()
        else char.encode("unicode_escape", "surrogatepass").decode("ascii")
        for char in text
    )
