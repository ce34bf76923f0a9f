"""Write the result of the long suite into results/long-suite.json and docs/guarantees.md.

python tools/long_suite_docs.py build/long.xml     after `make test-long`

The result of a part (`make test-long ARGS="tests/fuzz"`) replaces that part's last result and
leaves those of other parts, each with its date; a run of the whole suite replaces all.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent
FILE = ROOT / "results" / "long-suite.json"
PAGE = ROOT / "docs" / "guarantees.md"
WHOLE = "make test-long"
START, END = "<!-- result of the long suite -->", "<!-- end of the result -->"


def result(file: Path, command: str) -> dict[str, Any]:
    """Counts of a JUnit file of pytest; properties that tests record are added up by name."""
    suite = next(ElementTree.parse(file).iter("testsuite"))
    counts: Counter[str] = Counter()
    for found in suite.iter("property"):
        counts[found.attrib["name"]] += int(found.attrib["value"])
    number = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    return {
        "date": suite.attrib["timestamp"][:10],
        "command": command,
        **number,
        "seconds": round(float(suite.attrib["time"])),
        "counts": dict(sorted(counts.items())),
        "python": platform.python_version(),
    }


def joined(parts: list[dict[str, Any]], found: dict[str, Any]) -> list[dict[str, Any]]:
    """The results to be kept after one more."""
    if found["command"] == WHOLE:
        return [found]
    others = [part for part in parts if part["command"] != found["command"]]
    return sorted([*others, found], key=lambda part: part["command"])


def sentence(found: dict[str, Any]) -> str:
    """A result in words."""
    bad = found["failures"] + found["errors"]
    counts = ", ".join(f"{value:,} {name}" for name, value in found["counts"].items())
    return (
        f"{found['date']}, `{found['command']}`: {found['tests'] - bad - found['skipped']} tests "
        f"passed, {bad} failed, {found['skipped']} skipped, in {found['seconds']:,} seconds "
        f"({counts})."
    )


def section(parts: list[dict[str, Any]]) -> str:
    """The text between the marks of docs/guarantees.md."""
    lines = [f"- {sentence(part)}" for part in parts]
    return "\n".join([START, *lines, "", "The numbers: `results/long-suite.json`.", END])


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--command", default=WHOLE, help="what was run")
    options = parser.parse_args()
    before = json.loads(FILE.read_text("utf-8"))["parts"] if FILE.exists() else []
    parts = joined(before, result(options.file, options.command))
    FILE.write_text(json.dumps({"parts": parts}, indent=2) + "\n", encoding="utf-8")
    pattern = re.compile(f"{START}.*?{END}", re.DOTALL)
    PAGE.write_text(
        pattern.sub(lambda _: section(parts), PAGE.read_text("utf-8")), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
