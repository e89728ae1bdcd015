"""The images of a folder, for benchmarks and evaluations."""

from __future__ import annotations

from pathlib import Path

from memery.archive import FOLDER_NAME
from memery.imaging.formats import EXTENSIONS


def image_files(folder: Path) -> list[Path]:
    """List the image files below a folder by extension, sorted, without those in archives."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix[1:].lower() in EXTENSIONS
        and FOLDER_NAME not in path.relative_to(folder).parts
    ]
