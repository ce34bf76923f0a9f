"""`python -m benchmarks.own_tasks [NAME …]`: some of the data sets; `--files` writes them."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.own_tasks.data_sets import DATA_SETS, make
from benchmarks.own_tasks.measure import ROUNDS, measure
from benchmarks.own_tasks.table import write


def main() -> None:
    """Measure, or write the files."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.own_tasks", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(DATA_SETS), choices=list(DATA_SETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(1, ROUNDS + 1)))
    parser.add_argument("--files", type=Path, help="only write the data sets' files, below here")
    options = parser.parse_args()
    if options.files is None:
        measure(options.names, options.seeds)
        return
    for name in options.names:
        write(make(name), options.files / name)


if __name__ == "__main__":
    main()
