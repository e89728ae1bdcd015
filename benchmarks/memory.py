"""Peak memory of a build: it must not grow with the number of images."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from benchmarks.measure import memery, say

COUNTS = (500, 4_000)


def peak_megabytes(count: int) -> float:
    """Peak memory of a build of that many different small images."""
    folder = Path(tempfile.mkdtemp())
    for number in range(count):
        Image.new("RGB", (64, 48), (number % 256, number // 256, 9)).save(folder / f"{number}.png")
    with subprocess.Popen(memery("build", str(folder)), stdout=subprocess.DEVNULL) as build:
        _, _, usage = os.wait4(build.pid, 0)
        build.returncode = 0
    shutil.rmtree(folder)
    return usage.ru_maxrss / 1024


def run() -> None:
    """Measure two builds: eight times as many images should need about the same memory."""
    say("memory", **{f"images_{count}_MB": round(peak_megabytes(count)) for count in COUNTS})
