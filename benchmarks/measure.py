"""Timing of whole processes and repeated calls, by medians."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

RUNS = 7


def say(name: str, **figures: object) -> None:
    """Print a figure as one JSON line."""
    print(json.dumps({"figure": name, **figures}), flush=True)


@dataclass(frozen=True)
class Spent:
    """Cost of a process: wall-clock and processor seconds, and peak memory in bytes."""

    wall: float
    cpu: float
    rss: int


def spent(command: Sequence[str]) -> Spent:
    """Run a process to its end."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    wall = time.perf_counter() - started
    return Spent(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def one_run(command: Sequence[str]) -> float:
    """Wall-clock time of a process, seconds."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def command_seconds(command: Sequence[str]) -> float:
    """Median wall-clock time of a process after one warm-up."""
    one_run(command)
    return statistics.median(one_run(command) for _ in range(RUNS))


def python(code: str) -> list[str]:
    """The command that runs a line of Python."""
    return [sys.executable, "-c", code]


def memery(*words: str) -> list[str]:
    """The command that runs memery."""
    return [sys.executable, "-m", "memery", *words]


def call_seconds(call: Callable[[], object], runs: int = RUNS) -> tuple[float, float]:
    """The first call's time and the median of those that follow."""
    times = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return times[0], statistics.median(times[1:])
