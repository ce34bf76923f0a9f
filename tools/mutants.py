"""Break the code in small ways, one at a time, and see which test notices.

python tools/mutants.py                          all of tools/mutants.yaml
python tools/mutants.py dropout ema              those whose name or file holds one of these words
python tools/mutants.py --json build/mutants.json

Everything happens in a copy of the working tree. A mutant is caught if a test fails with it that
passes without it; one that is not caught stands for a fault that no test would have noticed. Exit
code 1 if more survive than `--may-survive` allows.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
LIST = ROOT / "tools" / "mutants.yaml"
_SECONDS = 600
"""Of the tests of one mutant; a change may also make a loop endless."""
_SECONDS_OF_ALL = 3600


@dataclass(frozen=True, slots=True)
class Mutant:
    """One small change.

    Attributes:
        name: says what is wrong with it.
        file: below src/mtbert.
        old: text that stands in the file once.
        new: what replaces it.
        tests: files or test ids, relative to the repository, that should notice.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Of its file, relative to the repository."""
        return Path("src/mtbert") / self.file

    def applied(self, source: str) -> str:
        """The file's text with the change.

        Raises:
            ValueError: the text to be changed does not stand there exactly once.
        """
        if source.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.old!r} stands {source.count(self.old)} times")
        return source.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant: the test that noticed it, or None if it survived."""

    name: str
    file: str
    caught_by: str | None
    seconds: float


def mutants(path: Path = LIST) -> list[Mutant]:
    """Those on the list. Without `tests`, the test file of the source's name has to notice."""
    found = []
    for file, entries in YAML(typ="safe", pure=True).load(path.read_text("utf-8")).items():
        folder, _, module = file.rpartition("/")
        mirrored = f"tests/{folder}/test_{module}"
        for entry in entries:
            tests = entry.get("tests", [mirrored])
            found.append(Mutant(entry["name"], file, entry["old"], entry["new"], tuple(tests)))
    return found


def copied_tree(target: Path) -> Path:
    """The tracked and the new files of the working tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (source := ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target


def first_failure(tree: Path, tests: Sequence[str], seconds: int = _SECONDS) -> str | None:
    """The first test that fails, or None.

    Raises:
        RuntimeError: the tests cannot be run.
    """
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
    environment = os.environ | {
        "PYTHONPATH": str(tree / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",  # else a change within a second may go unseen
    }
    try:
        run = subprocess.run(
            [*command, *tests],
            cwd=tree, env=environment, capture_output=True, text=True, timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"no end after {seconds} s"
    if run.returncode == 0:
        return None
    if failed := re.search(r"^(?:FAILED|ERROR) (\S+)", run.stdout, re.MULTILINE):
        return failed[1]
    raise RuntimeError(f"pytest ended with {run.returncode}:\n{run.stdout[-2000:]}{run.stderr}")


def tried(tree: Path, mutant: Mutant) -> Outcome:
    """Change the copy, run the tests, and undo the change."""
    path, started = tree / mutant.path, time.perf_counter()
    source = path.read_text("utf-8")
    try:
        path.write_text(mutant.applied(source), "utf-8")
        caught_by = first_failure(tree, mutant.tests)
    finally:
        path.write_text(source, "utf-8")
    seconds = round(time.perf_counter() - started, 1)
    return Outcome(mutant.name, mutant.file, caught_by, seconds)


def main() -> int:
    """Try the mutants that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", help="of names or files; default: all")
    parser.add_argument("--json", type=Path, help="write the outcomes there")
    parser.add_argument("--may-survive", type=int, default=0)
    options = parser.parse_args()
    chosen = [
        m for m in mutants()
        if not options.words or any(word in f"{m.file} {m.name}" for word in options.words)
    ]  # fmt: skip
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        tree = copied_tree(Path(folder))
        every = sorted({test for m in chosen for test in m.tests})
        if broken := first_failure(tree, every, _SECONDS_OF_ALL):
            print(f"{broken} fails without any change")
            return 1
        for mutant in chosen:
            outcomes.append(tried(tree, mutant))
            last = outcomes[-1]
            print(f"{last.caught_by or 'SURVIVED':<60} {last.file}: {last.name}", flush=True)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps([asdict(o) for o in outcomes], indent=1) + "\n")
    survived = sum(outcome.caught_by is None for outcome in outcomes)
    print(f"{len(outcomes) - survived} of {len(outcomes)} caught")
    return int(survived > options.may_survive)


if __name__ == "__main__":
    raise SystemExit(main())
