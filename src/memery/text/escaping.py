"""Escaping of untrusted names for display."""

from __future__ import annotations


def printable(text: str) -> str:
    """Escape the control characters and undecodable bytes of a text."""
    return "".join(char if char.isprintable() else escaped(char) for char in text)


def escaped(char: str) -> str:
    r"""Escape a character; an undecodable byte becomes that byte, `\xff`."""
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) & 0xFF:02x}"
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
