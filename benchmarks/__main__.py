"""`python -m benchmarks [NAME …]`: run benchmarks, print their tables, write their figures."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any

from benchmarks.common import write

BENCHMARKS: dict[str, tuple[str, dict[str, Any]]] = {
    "ceiling": ("ceiling", {}),
    "optimizer": ("optimizer", {}),
    "pcgrad": ("pcgrad", {}),
    "aggregation": ("aggregation", {}),
    "sharing": ("sharing", {}),
    "training": ("training", {"data": "sst"}),
    "pairs": ("training", {"data": "sts"}),
    "ablation": ("ablation", {}),
    "frozen": ("frozen", {}),
    "evaluation": ("evaluation", {}),
    "data": ("data", {}),
    "scaling": ("scaling", {}),
    "processes": ("processes", {}),
    "waiting": ("waiting", {}),
}
"""By name: the module, and the arguments of its `run`."""
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run what the command line names."""
    known = ", ".join(BENCHMARKS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{known}; default all")
    parser.add_argument("--rounds", type=int, help="turns of each contestant; default: its own")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the JSON files")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {known}")
    for name in arguments.names or BENCHMARKS:
        module, options = BENCHMARKS[name]
        benchmark = importlib.import_module(f"benchmarks.{module}")
        result = benchmark.run(arguments.rounds or benchmark.ROUNDS, **options)
        print(f"\n{result.title}\n\n{result.table}\n")
        for note in result.notes:
            print(note)
        print(f"written to {write(name, result, arguments.output)}", flush=True)


if __name__ == "__main__":
    main()
