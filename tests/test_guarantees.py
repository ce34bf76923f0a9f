"""Pages that promise something name tests that exist and can fail, and results that are on file."""

import ast
import json
import re
import sys
from pathlib import Path

import pytest
from support import evidence

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "guarantees.md").read_text("utf-8")


TREES = evidence.sources()
HELPERS = evidence.asserting(TREES)


def named() -> list[tuple[str | None, str]]:
    """Every test that the pages of promises name, with its file if that is said."""
    pages = [ROOT / "docs" / "guarantees.md", ROOT / "docs" / "gpu.md", ROOT / "SECURITY.md"]
    text = "\n".join(page.read_text("utf-8") for page in pages)
    found = re.findall(r"`(?:(tests/[\w/]+\.py)::)?(test_\w+)`", text)
    return sorted({(file or None, test) for file, test in found}, key=str)


def test_enough_tests_are_named():
    assert len([test for file, test in named() if file is None]) > 30
    assert len([test for file, test in named() if file is not None]) > 30


@pytest.mark.parametrize(("file", "test"), named())
def test_every_test_that_is_named_exists_and_can_fail(file, test):
    assert evidence.problems(test, TREES, HELPERS, file) == []


EMPTY = {
    "def test_it(): pass": "nothing in it can fail",
    "def test_it(): assert True": "nothing in it can fail",
    "def test_it(): run()": "nothing in it can fail",
    "def test_it():\n    run()\n    return\n    assert x": "it skips itself",
    "def test_it():\n    pytest.skip('later')\n    assert x": "it skips itself",
    "@pytest.mark.skip\ndef test_it(): assert x": "it is marked pytest.mark.skip",
    "@pytest.mark.xfail(reason='')\ndef test_it(): assert x": "it is marked pytest.mark.xfail",
    "@pytest.mark.skipif(True, reason='')\ndef test_it(): assert x": "it is skipped if True",
    "pytestmark = pytest.mark.skip\ndef test_it(): assert x": "it is marked pytest.mark.skip",
    "@pytest.mark.parametrize('x', [])\ndef test_it(x): assert x": "it has no cases",
    "def test_it(): assert x\ndef test_it(): assert x": "another of its name hides it",
    "def test_other():\n    def test_it(): assert x": "there is no such test",
}
FULL = [
    "def test_it(): assert x",
    "def test_it():\n    with pytest.raises(ValueError): run()",
    "def test_it(): torch.testing.assert_close(a, b)",
    "def test_it(): check()\ndef check(): really()\ndef really(): assert x",
    "@pytest.mark.skipif(os.name == 'nt', reason='')\ndef test_it(): assert x",
]


def problems_of(source, file="tests/test_a.py", said=None):
    trees = {file: ast.parse(source)}
    return evidence.problems("test_it", trees, evidence.asserting(trees), said)


@pytest.mark.parametrize(("source", "problem"), EMPTY.items())
def test_a_test_that_proves_nothing_is_found(source, problem):
    (found,) = problems_of(source)
    assert problem in found


@pytest.mark.parametrize("source", FULL)
def test_a_test_that_can_fail_is_none_of_these(source):
    assert problems_of(source) == []


def test_a_helper_that_pytest_does_not_collect_is_no_test():
    source, file = "def test_it(): assert x", "tests/support/a.py"
    assert problems_of(source, file) == ["tests/support/a.py is not collected"]
    assert problems_of(source, file, "tests/test_b.py") == ["there is no such test"]


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
