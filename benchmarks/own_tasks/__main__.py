"""`python -m benchmarks.own_tasks [NAME …]`: some of the data sets; `--files` writes them."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.own_tasks.data_sets import DATA_SETS, make
from benchmarks.own_tasks.measure import RECORDS, SEEDS, measure
from benchmarks.own_tasks.records import Records
from benchmarks.own_tasks.table import write
from benchmarks.own_tasks.verdicts import table_of


def main() -> None:
    """Measure and show the table, or write the files."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.own_tasks", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(DATA_SETS), choices=list(DATA_SETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--files", type=Path, help="only write the data sets' files, below here")
    options = parser.parse_args()
    if options.files is None:
        measure(options.names, options.seeds)
        print(table_of({name: Records(RECORDS, name).runs for name in options.names}))
        return
    for name in options.names:
        write(make(name), options.files / name)


if __name__ == "__main__":
    main()
