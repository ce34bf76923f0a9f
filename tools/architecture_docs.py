"""Write the trees of docs/architecture.md and of the README from the sources.

    python tools/architecture_docs.py            write both
    python tools/architecture_docs.py --check    exit with 1 if they are not up to date

A line of a tree is the first line of a docstring: of each module in docs/architecture.md, of each
package in the README. The levels of the import rule come from tests/test_architecture.py.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "mtbert"
PAGE = ROOT / "docs" / "architecture.md"
README = ROOT / "README.md"
RULES = ROOT / "tests" / "test_architecture.py"

FLOW = (
    "cli", "commands", "config", "data", "model", "objectives", "methods", "surgery",
    "training", "inference", "runs", "studies", "reports", "paper", "export", "hardware",
    "distributed", "console", "io",
)  # fmt: skip
"""The order of rooms in the README: as one reads them. What is not listed comes last."""
_WIDTH = 24


def first_line(file: Path) -> str:
    """Of a module's docstring."""
    text = ast.get_docstring(ast.parse(file.read_text("utf-8")))
    if text is None:
        raise SystemExit(f"{file.relative_to(ROOT)} has no docstring")
    return text.splitlines()[0]


def tree(folder: Path = PACKAGE, indent: str = "") -> Iterator[str]:
    """A line for each module, folders before files; other files by name."""
    for sub in sorted(p for p in folder.iterdir() if p.is_dir() and p.name != "__pycache__"):
        about = sub / "__init__.py"
        if about.is_file():
            yield _line(f"{indent}{sub.name}/", first_line(about))
            yield from tree(sub, indent + "  ")
        elif files := sorted(path.name for path in sub.iterdir() if path.is_file()):
            yield _line(f"{indent}{sub.name}/", ", ".join(files))
    for file in sorted(folder.glob("*.py")):
        if file.name != "__init__.py" or folder == PACKAGE:
            yield _line(f"{indent}{file.name}", first_line(file))


def _line(name: str, text: str) -> str:
    return f"{name:<{_WIDTH}} {text}"


def rooms() -> Iterator[str]:
    """A line for each room of the package, in the order of `FLOW`."""
    found = {p.parent.name: p for p in PACKAGE.glob("*/__init__.py")}
    found |= {p.stem: p for p in PACKAGE.glob("*.py")}
    order = {name: place for place, name in enumerate(FLOW)}
    for name in sorted(found, key=lambda n: (order.get(n, len(order)), n)):
        file = found[name]
        is_package = file.name == "__init__.py" and file.parent != PACKAGE
        if is_package or name in ("cli", "surgery"):
            yield f"  {name + ('/' if is_package else '.py'):<14} {first_line(file)}"


def levels() -> list[list[str]]:
    """Rooms by level, lowest first, as the test of the import rule has them."""
    for node in ast.parse(RULES.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LAYERS":
            return [sorted(names) for names in ast.literal_eval(node.value)]
    raise SystemExit(f"{RULES.relative_to(ROOT)} has no LAYERS")


def level_table() -> str:
    """The levels as Markdown."""
    rows = [
        f"| {number} | {', '.join(f'`{name}`' for name in names)} |"
        for number, names in enumerate(levels(), 1)
    ]
    return "\n".join(["| level | rooms |", "| --- | --- |", *rows])


def renewed(file: Path, parts: dict[str, str]) -> str:
    """A page with the parts between its marks written anew."""
    text = file.read_text("utf-8")
    for mark, part in parts.items():
        start, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
        pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
        if len(pattern.findall(text)) != 1:
            raise SystemExit(f"{file.relative_to(ROOT)}: no marks {start} … {end}")
        text = pattern.sub(lambda _, p=part, s=start, e=end: f"{s}\n{p}\n{e}", text)  # type: ignore[misc]
    return text


def _block(lines: Iterator[str]) -> str:
    return "\n".join(["```", *lines, "```"])


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    written = {
        PAGE: renewed(PAGE, {"tree": _block(tree()), "levels": level_table()}),
        README: renewed(README, {"rooms": _block(rooms())}),
    }
    if check:
        return int(any(page.read_text("utf-8") != text for page, text in written.items()))
    for page, text in written.items():
        page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
