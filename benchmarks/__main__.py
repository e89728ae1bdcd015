"""Run all benchmarks; an idle machine gives better figures."""

import argparse
from pathlib import Path

from benchmarks import (
    clip,
    duplicates,
    memory,
    ranking,
    recall,
    rescan,
    search,
    single,
    startup,
    throughput,
)

parser = argparse.ArgumentParser(description="measure what memery's budgets name")
parser.add_argument("--photos", type=Path, help="a folder of photos, for the throughput")
parser.add_argument(
    "--model", type=Path, help="the folder of a CLIP model: measure only this model"
)
arguments = parser.parse_args()
if arguments.model:
    clip.run(arguments.model, arguments.photos)
    parser.exit()
startup.run()
search.run()
recall.run()
duplicates.run()
ranking.run()
rescan.run()
memory.run()
if arguments.photos:
    throughput.run(arguments.photos)
    single.run(arguments.photos)
