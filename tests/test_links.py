"""Links and paths in the documentation lead somewhere, sections included."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOT_OURS = ("tests/fixtures/", ".")
"""Model cards written by runs; caches and environments of the checkout."""
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
CODE = re.compile(r"```.*?```|~~~.*?~~~", re.DOTALL)
FILE = re.compile(r"`([\w.+-]+(?:/[\w.+-]+)+\.(?:py|md|sh|json|ya?ml|csv|svg|toml|txt))(?:::\w+)?`")
OUTPUTS = ("runs/", "build/", "FOLDER/", "RUN/", "DIR/", "results/NAME-")
"""Where commands in the documentation write."""


def pages() -> list[Path]:
    found = (path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.md"))
    return [ROOT / name for name in sorted(found) if not name.startswith(NOT_OURS)]


def anchors(page: Path) -> set[str]:
    """The names GitHub gives to the headings of a page."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+)$", CODE.sub("", page.read_text("utf-8")), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        name = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        later = (f"{name}-{i}" for i in range(1, 100))
        found.add(next(n for n in (name, *later) if n not in found))
    return found


def leads_nowhere(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    other = page.parent / path if path else page
    if not other.exists():
        return True
    return bool(anchor) and anchor not in anchors(other)


each_page = pytest.mark.parametrize("page", pages(), ids=lambda p: p.relative_to(ROOT).as_posix())


def test_the_pages_are_found():
    names = {page.relative_to(ROOT).as_posix() for page in pages()}
    assert {"README.md", "docs/results.md", "benchmarks/README.md", "results/README.md"} <= names


def test_the_check_itself_sees_what_it_should(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A `b`, c\n## Twice\n## Twice\n```\n# none\n```\n", encoding="utf-8")
    assert anchors(page) == {"a-b-c", "twice", "twice-1"}
    assert [t for t in ("page.md#twice-1", "#twice", "page.md") if leads_nowhere(page, t)] == []
    assert all(leads_nowhere(page, t) for t in ("other.md", "page.md#none", "#a"))


@each_page
def test_every_link_leads_somewhere(page):
    text = CODE.sub("", page.read_text("utf-8"))
    assert [target for target in LINK.findall(text) if leads_nowhere(page, target)] == []


@each_page
def test_every_file_that_is_named_exists(page):
    """Below the repository, the package or the page's own folder."""
    if page.name == "CHANGELOG.md":
        pytest.skip("tells of the past")
    bases = (ROOT, ROOT / "src", ROOT / "src" / "mtbert", page.parent)
    named = [n for n in FILE.findall(page.read_text("utf-8")) if not n.startswith(OUTPUTS)]
    assert [n for n in named if not any((base / n).exists() for base in bases)] == []


def test_no_file_of_results_holds_labels():
    """Licenses forbid passing them on; `.gitignore` keeps them out."""
    tracked = subprocess.run(
        ["git", "ls-files", "*labels-*.json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode:
        pytest.skip("not a checkout of git")
    assert tracked.stdout == ""
