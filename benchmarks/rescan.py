"""A build of 100,000 unchanged files."""

import io
import tempfile
from pathlib import Path

from PIL import Image

from benchmarks.measure import command_seconds, memery, one_run, say

FILES, FOLDERS = 100_000, 100


def run() -> None:
    """Budget: 1.5 s."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        buffer = io.BytesIO()
        Image.new("RGB", (16, 16), "red").save(buffer, "PNG")
        for number in range(FILES):
            place = root / f"album{number % FOLDERS:03d}"
            place.mkdir(exist_ok=True)
            (place / f"image{number:06d}.png").write_bytes(buffer.getvalue())
        build = memery("build", folder, "--model", "starter")
        one_run(build)
        say("unchanged build", files=FILES, seconds=round(command_seconds(build), 2))
