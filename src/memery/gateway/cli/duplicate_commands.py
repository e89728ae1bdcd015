"""The command `duplicates`: call the library, print, return an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from memery.gateway.cli import formats
from memery.gateway.cli.choices import DuplicateFormat
from memery.gateway.cli.console import NOTHING_FOUND, Console, handle_errors
from memery.gateway.cli.downloads import ensure_model
from memery.gateway.cli.options import Settings
from memery.gateway.cli.search_arguments import SearchArguments
from memery.gateway.cli.search_commands import say_excluded
from memery.gateway.library import Memery
from memery.stores.no_match import empty_folder
from memery.text.plurals import counted
from memery.types import Copy, DuplicateGroup


@handle_errors
def duplicates(
    path: Path,
    search: SearchArguments,
    settings: Settings,
    console: Console,
    *,
    exact: bool,
    format_: DuplicateFormat,
    refresh: bool,
) -> int:
    """Find exact and near duplicates; delete nothing."""
    where = search.options(path).filter
    ensure_model(settings.given, console)
    with Memery(path, **settings.given) as memery:
        with console.progress() as tracker:
            groups = memery.duplicates(
                exact_only=exact, where=where, refresh=refresh, progress=tracker
            )
        write_groups(groups, path, format_)
        if not groups:
            if where.under and not memery.count(where):
                console.say(empty_folder(where.under))
            else:
                console.say(f"No duplicates in {path / where.under}.")
            say_excluded(memery, console)
            return NOTHING_FOUND
    others = sum(len(group.others) for group in groups)
    reclaimable = formats.size(sum(copy.image.size for group in groups for copy in group.others))
    console.say(
        f"{counted(len(groups), 'group')} of copies; {counted(others, 'file')} in addition to the"
        f" best, {reclaimable}."
        " Nothing was deleted."
    )
    return 0


def write_groups(groups: Sequence[DuplicateGroup], path: Path, format_: DuplicateFormat) -> None:
    """Print groups.

    Args:
        groups: the groups of copies.
        path: the folder as the user typed it.
        format_: output format.
    """
    match format_:
        case DuplicateFormat.TABLE:
            _write_table(groups, path)
        case DuplicateFormat.JSON:
            formats.write_json({"groups": [_group_json(group) for group in groups]})
        case DuplicateFormat.PATHS | DuplicateFormat.PATHS0:
            end = b"\n" if format_ is DuplicateFormat.PATHS else b"\0"
            formats.write_paths(
                (path / copy.path for group in groups for copy in group.others), end
            )


def _group_json(group: DuplicateGroup) -> dict[str, Any]:
    return {"best": group.best.path, "copies": [_copy_json(copy) for copy in group]}


def _copy_json(copy: Copy) -> dict[str, Any]:
    image = copy.image
    return {
        "id": copy.id,
        "path": copy.path,
        "exact": copy.exact,
        "width": image.width,
        "height": image.height,
        "size": image.size,
        "format": image.format,
        "date": image.date,
        "date_source": image.date_source,
    }


def _write_table(groups: Sequence[DuplicateGroup], path: Path) -> None:
    if not groups:
        return
    columns = {
        "Group": "right",
        "Copy": "left",
        "Pixels": "right",
        "Size": "right",
        "Date": "left",
        "Path": "left",
    }
    formats.write_table(
        columns,
        (
            (
                str(number),
                "best" if copy is group.best else "exact" if copy.exact else "near",
                f"{copy.image.width}x{copy.image.height}",
                formats.size(copy.image.size),
                copy.image.date[:10],
                str(path / copy.path),
            )
            for number, group in enumerate(groups, 1)
            for copy in group
        ),
    )
