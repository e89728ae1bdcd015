"""Explanation of why no image passes a filter: the conditions that no image meets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from memery.query.filters import Filter
from memery.query.parameters import parameters_of
from memery.stores.derived import count
from memery.stores.interface import SearchSnapshot
from memery.stores.records import Space


def reasons(
    snapshot: SearchSnapshot, space: Space, filter: Filter, searched: str = ""
) -> tuple[str, ...]:
    """Explain why no image passes a filter.

    Args:
        snapshot: the snapshot searched.
        space: the space searched.
        filter: the filter that no image passes, its folders relative to the store's root.
        searched: the folder searched, relative to the store's root.

    Returns:
        One sentence for each condition that no image meets. If some image meets each of them, one
        sentence that says so. Empty if the folder has no images.
    """
    whole = Filter(searched)
    if not count(snapshot, space, whole):
        return ()
    subfolder = filter.under.removeprefix(whole.prefix) if filter.under != searched else ""
    found = [
        sentence
        for condition, sentence in _conditions(filter, whole, subfolder)
        if not count(snapshot, space, condition)
    ]
    return tuple(found) or (
        "Every condition is met by some image, but no image meets all of them.",
    )


def empty_folder(folder: str) -> str:
    """Return the message for a folder, relative to the one searched, without indexed images."""
    return f"No indexed image is in the folder {folder!r}. Check its name."


def _conditions(filter: Filter, whole: Filter, subfolder: str) -> Iterator[tuple[Filter, str]]:
    """Yield a filter for each single condition, with the message if no image meets it."""
    if subfolder:
        yield replace(whole, under=filter.under), empty_folder(subfolder)
    for phrase in filter.quoted:
        yield (
            replace(whole, quoted=(phrase,)),
            f'No image contains "{phrase}" in its text, name or metadata.'
            " Without quotation marks the nearest images are found.",
        )
    for name, defined in parameters_of(Filter).items():
        value = getattr(filter, name)
        if defined.unmatched is not None and value != defined.default:
            yield replace(whole, **{name: value}), defined.unmatched(value)
