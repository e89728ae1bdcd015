"""Why no image passes a filter: which of its conditions nothing meets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from memery.filters import Filter
from memery.stores.interface import Searchable, Space

_MINUTE = 16
"""Characters of a date and time in ISO 8601, without seconds."""


def reasons(store: Searchable, space: Space, scope: Filter, searched: str = "") -> tuple[str, ...]:
    """One sentence for each condition that no image meets; one for all where each is met.

    Args:
        store: what was searched.
        space: the space searched.
        scope: the filter that no image passes, its folders relative to the store's root.
        searched: the folder searched, likewise.

    Returns:
        Nothing where the folder has no image at all.
    """
    whole = Filter(searched)
    if not store.count(space, whole):
        return ()
    inside = scope.under.removeprefix(whole.prefix) if scope.under != searched else ""
    found = [
        sentence
        for condition, sentence in _conditions(scope, whole, inside)
        if not store.count(space, condition)
    ]
    return tuple(found) or (
        "Every condition is met by some image, but no image meets all of them.",
    )


def _conditions(scope: Filter, whole: Filter, inside: str) -> Iterator[tuple[Filter, str]]:
    """Each condition by itself, with what to say if no image meets it."""
    if inside:
        yield (
            replace(whole, under=scope.under),
            f"No indexed image is in the folder {inside!r}. Check its name.",
        )
    for phrase in scope.quoted:
        yield (
            replace(whole, quoted=(phrase,)),
            f'No image contains "{phrase}" in its text, name or metadata.'
            " Without quotation marks the nearest images are found.",
        )
    if scope.earliest is not None:
        since = scope.earliest.isoformat(" ")[:_MINUTE]
        yield replace(whole, since=scope.earliest), f"No image is dated {since} or later."
    if scope.latest is not None:
        until = scope.latest.isoformat(" ")[:_MINUTE]
        yield replace(whole, until=scope.latest), f"No image is dated {until} or earlier."
    if scope.ext:
        extensions = ", ".join(scope.ext)
        yield replace(whole, ext=scope.ext), f"No image has the extension {extensions}."
    if scope.orientation:
        yield (
            replace(whole, orientation=scope.orientation),
            f"No image has the orientation {scope.orientation}.",
        )
    width, height, widest, highest = scope.sides
    if width or height:
        yield (
            replace(whole, min_size=scope.min_size),
            f"No image has {width}x{height} pixels or more.",
        )
    if scope.max_size != (0, 0):
        yield (
            replace(whole, max_size=scope.max_size),
            f"No image has {widest}x{highest} pixels or less.",
        )
    if scope.has_text is not None:
        kind = "with text" if scope.has_text else "without text"
        yield (
            replace(whole, has_text=scope.has_text),
            f"No image {kind} is known. Text is recognized by memery build with memery[ocr].",
        )
