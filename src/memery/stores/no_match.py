"""Why no image passes a filter: which of its conditions nothing meets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from memery.query.filters import Filter
from memery.query.parameters import parameters_of
from memery.stores.derived import count
from memery.stores.interface import SearchSnapshot
from memery.stores.records import Space


def reasons(
    snapshot: SearchSnapshot, space: Space, scope: Filter, searched: str = ""
) -> tuple[str, ...]:
    """One sentence for each condition that no image meets; one for all where each is met.

    Args:
        snapshot: what was searched.
        space: the space searched.
        scope: the filter that no image passes, its folders relative to the store's root.
        searched: the folder searched, likewise.

    Returns:
        Nothing where the folder has no image at all.
    """
    whole = Filter(searched)
    if not count(snapshot, space, whole):
        return ()
    inside = scope.under.removeprefix(whole.prefix) if scope.under != searched else ""
    found = [
        sentence
        for condition, sentence in _conditions(scope, whole, inside)
        if not count(snapshot, space, condition)
    ]
    return tuple(found) or (
        "Every condition is met by some image, but no image meets all of them.",
    )


def empty_folder(folder: str) -> str:
    """What to say of a folder, relative to the one searched, in which no image is indexed."""
    return f"No indexed image is in the folder {folder!r}. Check its name."


def _conditions(scope: Filter, whole: Filter, inside: str) -> Iterator[tuple[Filter, str]]:
    """Each condition by itself, with what to say if no image meets it."""
    if inside:
        yield replace(whole, under=scope.under), empty_folder(inside)
    for phrase in scope.quoted:
        yield (
            replace(whole, quoted=(phrase,)),
            f'No image contains "{phrase}" in its text, name or metadata.'
            " Without quotation marks the nearest images are found.",
        )
    for name, defined in parameters_of(Filter).items():
        value = getattr(scope, name)
        if defined.unmatched is not None and value != defined.default:
            yield replace(whole, **{name: value}), defined.unmatched(value)
