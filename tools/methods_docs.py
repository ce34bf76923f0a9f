"""Write the tables of docs/methods/ from the tables of the families.

    python tools/methods_docs.py            write them
    python tools/methods_docs.py --check    exit with 1 if they are not up to date

Each page is written by hand but for what stands between the two marks: a table of the members with
their options, and what their docstrings say.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from configuration_docs import default, table_row, values

from mtbert.config.encoder import DEFAULT_SHARING, SHARINGS
from mtbert.methods.aggregation.table import AGGREGATORS, DEFAULT_AGGREGATOR
from mtbert.methods.base import Method
from mtbert.methods.sampling.table import DEFAULT_SAMPLER, SAMPLERS
from mtbert.methods.weighting.table import DEFAULT_WEIGHTING, WEIGHTINGS

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "methods"

BEGIN = "<!-- from the sources: python tools/methods_docs.py -->"
END = "<!-- end -->"


@dataclass(frozen=True, slots=True)
class Family:
    """One page: the key that names a method, its members, and the default among them."""

    page: str
    key: str
    members: Sequence[type[Method]]
    default: Method


FAMILIES = (
    Family("sampling.md", "training.batching", SAMPLERS, DEFAULT_SAMPLER),
    Family("weighting.md", "training.weighting", WEIGHTINGS, DEFAULT_WEIGHTING),
    Family("aggregation.md", "training.surgery", AGGREGATORS, DEFAULT_AGGREGATOR),
    Family("sharing.md", "encoder.sharing", SHARINGS, DEFAULT_SHARING),
)


def generated(family: Family) -> str:
    """The part of a family's page that its members write."""
    rows = [
        f"| `{family.key}` | what it does | options |",
        "| --- | --- | --- |",
        *(table_row(cells(family, member)) for member in family.members),
    ]
    return "\n\n".join(["\n".join(rows), *filter(None, map(details, family.members))])


def cells(family: Family, member: type[Method]) -> Iterator[str]:
    """A member's row: name, summary, names of the options."""
    name = member.model_fields["name"].default
    yield f"`{name}`" + (" (default)" if isinstance(family.default, member) else "")
    yield f"{docstring(member)[0]} ([`{source(member).name}`]({link(member)}))"
    yield ", ".join(f"`{key}`" for key in member.model_fields if key != "name") or "none"


def details(member: type[Method]) -> str:
    """What a member's docstring says below its first line, and its options; "" if nothing."""
    options = {key: field for key, field in member.model_fields.items() if key != "name"}
    _, *paragraphs = docstring(member)
    if not (paragraphs or options):
        return ""
    parts = [f"### `{member.model_fields['name'].default}`", *paragraphs]
    if options:
        rows = [
            table_row([f"`{key}`", values(field), default(field), field.description or ""])
            for key, field in options.items()
        ]
        parts.append(
            "\n".join(
                ["| option | values | default | meaning |", "| --- | --- | --- | --- |", *rows]
            )
        )
    return "\n\n".join(parts)


def docstring(member: type[Method]) -> list[str]:
    """Its paragraphs, each on one line."""
    text = inspect.getdoc(member) or ""
    text = text.split("\n\nAttributes:")[0]
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def source(member: type[Method]) -> Path:
    """The file that defines it."""
    return Path(inspect.getfile(member)).resolve()


def link(member: type[Method]) -> str:
    """That file, seen from the pages."""
    return f"../../{source(member).relative_to(ROOT.resolve()).as_posix()}"


def page(family: Family, text: str) -> str:
    """A page with its generated part renewed.

    Raises:
        SystemExit: the marks are not in it.
    """
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"docs/methods/{family.page}: no place for the table, {BEGIN} … {END}")
    part = f"{BEGIN}\n\n{generated(family)}\n\n{END}"
    return pattern.sub(lambda _: part, text)


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = False
    for family in FAMILIES:
        file = PAGES / family.page
        old = file.read_text("utf-8")
        new = page(family, old)
        stale |= new != old
        if not check:
            file.write_text(new, encoding="utf-8")
    return int(check and stale)


if __name__ == "__main__":
    raise SystemExit(main())
