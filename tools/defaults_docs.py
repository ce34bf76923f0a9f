"""Write the table in docs/defaults.md from benchmarks/results/own-tasks/*.jsonl.

python tools/defaults_docs.py              write the page
python tools/defaults_docs.py --check      exit with 1 if it is not up to date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.own_tasks.data_sets import DATA_SETS, make  # noqa: E402
from benchmarks.own_tasks.records import Records  # noqa: E402
from benchmarks.own_tasks.verdicts import summary_of, table_of  # noqa: E402

PAGE = ROOT / "docs" / "defaults.md"
RECORDS = ROOT / "benchmarks" / "results" / "own-tasks"
BEGIN, END = "<!-- own tasks -->", "<!-- end of own tasks -->"


def page() -> str:
    """The page with the table of today's records."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    runs = {name: Records(RECORDS, name).runs for name in DATA_SETS}
    about = "\n".join(f"- `{name}`: {make(name).about}" for name in DATA_SETS)
    parts = [about, table_of(runs, "github"), summary_of(runs)]
    return before + "\n\n".join([BEGIN, *parts, END]) + after


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    wanted = page()
    if parser.parse_args().check:
        return int(PAGE.read_text("utf-8") != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
