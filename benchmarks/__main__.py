"""`python -m benchmarks [NAME …]`: run benchmarks, print their tables, write their figures."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from benchmarks.common import write

NAMES = (
    "ceiling", "optimizer", "pcgrad", "training", "pairs", "ablation", "frozen", "evaluation",
    "data", "scaling", "processes",
)  # fmt: skip
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)}; default all")
    parser.add_argument("--rounds", type=int, help="turns of each contestant; default: its own")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the JSON files")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in arguments.names or NAMES:
        benchmark = importlib.import_module(f"benchmarks.{name}")
        result = benchmark.run(arguments.rounds or benchmark.ROUNDS)
        print(f"\n{result.title}\n\n{result.table}\n")
        for note in result.notes:
            print(note)
        print(f"written to {write(name, result, arguments.output)}", flush=True)


if __name__ == "__main__":
    main()
