"""docs/guarantees.md names tests that exist, and the result that stands beside it."""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "guarantees.md").read_text("utf-8")


def test_every_test_that_is_named_exists():
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert len(named) > 30
    assert [name for name in named if f"def {name}(" not in sources] == []


def test_the_result_of_the_long_suite_is_the_one_on_file(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "tools"), *sys.path])
    from long_suite_docs import section

    parts = json.loads((ROOT / "results" / "long-suite.json").read_text("utf-8"))["parts"]
    assert section(parts) in PAGE
    assert [p["command"] for p in parts if p["failures"] + p["errors"]] == []


def test_results_of_parts_stand_side_by_side(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "tools"), *sys.path])
    from long_suite_docs import WHOLE, joined

    def part(command, date):
        return {"command": command, "date": date}

    parts = joined([part("b", 1)], part("a", 2))
    assert parts == [part("a", 2), part("b", 1)]
    parts = joined(parts, part("b", 3))
    assert parts == [part("a", 2), part("b", 3)]
    assert joined(parts, part(WHOLE, 4)) == [part(WHOLE, 4)]
