"""The images of a folder, for benchmarks and evaluations."""

from __future__ import annotations

from pathlib import Path

from memery.archive import FOLDER_NAME
from memery.imaging.formats import EXTENSIONS


def image_files(folder: Path) -> list[Path]:
    """The image files below a folder by their extensions, in order.

    The thumbnails in the archives of memery are left out.
    """
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix[1:].lower() in EXTENSIONS
        and FOLDER_NAME not in path.relative_to(folder).parts
    ]
