"""Measure all budgets; a quiet machine gives better figures."""

import argparse
from pathlib import Path

from benchmarks import recall, rescan, search, startup, throughput

parser = argparse.ArgumentParser(description="measure what memery's budgets name")
parser.add_argument("--photos", type=Path, help="a folder of photos, for the throughput")
arguments = parser.parse_args()
startup.run()
search.run()
recall.run()
rescan.run()
if arguments.photos:
    throughput.run(arguments.photos)
