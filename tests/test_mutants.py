"""The list of mutants is up to date, and the tool tells one that is caught from one that is not."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "tools"))

import mutants  # noqa: E402

LISTED = mutants.mutants()


def test_there_are_enough_of_them_and_of_every_room():
    assert len(LISTED) >= 60
    rooms = {mutant.file.partition("/")[0] for mutant in LISTED}
    assert rooms >= {"config", "data", "inference", "methods", "model", "objectives", "studies"}
    assert len({(mutant.file, mutant.name) for mutant in LISTED}) == len(LISTED)


@pytest.mark.parametrize("mutant", LISTED, ids=lambda mutant: f"{mutant.file}: {mutant.name}")
def test_every_change_can_be_made_and_its_tests_are_there(mutant):
    source = (ROOT / mutant.path).read_text("utf-8")
    changed = mutant.applied(source)
    assert changed != source
    compile(changed, mutant.file, "exec")
    assert all((ROOT / test).exists() for test in mutant.tests)


@pytest.fixture
def tree(tmp_path):
    """A package of one function, with a test that looks at one side of it."""
    (tmp_path / "src" / "mtbert").mkdir(parents=True)
    (tmp_path / "src" / "mtbert" / "__init__.py").touch()
    (tmp_path / "src" / "mtbert" / "small.py").write_text("def sign(x):\n    return x > 0, x < 0\n")
    (tmp_path / "test_small.py").write_text(
        "from mtbert.small import sign\n\n\ndef test_it():\n    assert sign(1)[0]\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "caught_by"),
    [("x > 0", "x > 1", "test_small.py::test_it"), ("x < 0", "x < 1", None)],
)
def test_a_mutant_is_caught_by_the_test_that_fails_and_undone(tree, old, new, caught_by):
    file = tree / "src" / "mtbert" / "small.py"
    before = file.read_text()
    mutant = mutants.Mutant("a", "small.py", old, new, ("test_small.py",))
    assert mutants.tried(tree, mutant).caught_by == caught_by
    assert file.read_text() == before


def test_what_cannot_be_run_is_no_mutant_that_is_caught(tree):
    with pytest.raises(RuntimeError, match="pytest ended with 4"):
        mutants.first_failure(tree, ["test_none.py"])


def test_text_that_does_not_stand_there_once_is_refused():
    mutant = mutants.Mutant("a", "small.py", "x", "y", ())
    for source in ("", "x x"):
        with pytest.raises(ValueError, match="'x' stands"):
            mutant.applied(source)
