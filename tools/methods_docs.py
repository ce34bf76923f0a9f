"""Write the tables of docs/methods/ from the tables of the families.

    python tools/methods_docs.py            write them
    python tools/methods_docs.py --check    exit with 1 if they are not up to date

Each page is written by hand but for what stands between the two marks: a table of the members with
their options, and what their docstrings say.
"""

from __future__ import annotations

import argparse
import inspect
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import cast

from configuration_docs import default, table_row, values
from pydantic.fields import FieldInfo

from mtbert.config.sharing import DEFAULT_SHARING, SHARINGS
from mtbert.config.targets import LOSSES, LossRule, TargetKind
from mtbert.methods.aggregation.table import AGGREGATORS, DEFAULT_AGGREGATOR
from mtbert.methods.base import Method
from mtbert.methods.sampling.table import DEFAULT_SAMPLER, SAMPLERS
from mtbert.methods.weighting.table import DEFAULT_WEIGHTING, WEIGHTINGS
from mtbert.objectives.table import OBJECTIVES

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "methods"

BEGIN = "<!-- from the sources: python tools/methods_docs.py -->"
END = "<!-- end -->"


@dataclass(frozen=True, slots=True)
class Entry:
    """A member of a family: its name, file, docstring, row (its last cell), options."""

    name: str
    file: Path
    text: str
    last: str
    options: Mapping[str, FieldInfo]


@dataclass(frozen=True, slots=True)
class Family:
    """One page: the key that names a member, the heading of the last column, the members."""

    page: str
    key: str
    last: str
    members: Sequence[Entry]


def methods(page: str, key: str, members: Sequence[type[Method]], default: Method) -> Family:
    """A family of values with options."""
    return Family(page, key, "options", [method(kind, default) for kind in members])


def method(kind: type[Method], default: Method) -> Entry:
    """A method's entry; the default is marked."""
    name = kind.model_fields["name"].default
    options = {key: field for key, field in kind.model_fields.items() if key != "name"}
    text = (inspect.getdoc(kind) or "").split("\n\nAttributes:")[0]
    mark = " (default)" if isinstance(default, kind) else ""
    names = ", ".join(f"`{key}`" for key in options) or "none"
    return Entry(f"`{name}`{mark}", Path(inspect.getfile(kind)), text, names, options)


def objective(name: str, module: ModuleType) -> Entry:
    """An objective's entry; the default of a kind of target is marked."""
    kinds = {
        TargetKind.CLASSIFICATION: "classes",
        TargetKind.MULTILABEL_CLASSIFICATION: "several labels",
        TargetKind.REGRESSION: "regression",
    }
    marks = [word for kind, word in kinds.items() if kind.default_loss == name]
    mark = f" (default for {marks[0]})" if marks else ""
    rule = LOSSES[name]
    fits = [
        _classes(rule) if rule.on_classes else "",
        "several labels" if rule.on_labels else "",
        ("regression with `range`" if rule.needs_range else "regression")
        if rule.on_regression
        else "",
    ]
    file, text = Path(module.__file__ or ""), inspect.getdoc(module) or ""
    return Entry(f"`{name}`{mark}", file, text, ", ".join(filter(None, fits)), {})


def _classes(rule: LossRule) -> str:
    """Which classes a loss fits."""
    if rule.one_output:
        return "two classes"
    return "classes in order" if rule.in_order else "classes"


def families() -> list[Family]:
    """All pages, from the tables."""
    objectives = [objective(n, cast(ModuleType, module)) for n, module in OBJECTIVES.items()]
    return [
        methods("sampling.md", "training.batching", SAMPLERS, DEFAULT_SAMPLER),
        methods("weighting.md", "training.weighting", WEIGHTINGS, DEFAULT_WEIGHTING),
        methods("aggregation.md", "training.surgery", AGGREGATORS, DEFAULT_AGGREGATOR),
        methods("sharing.md", "encoder.sharing", SHARINGS, DEFAULT_SHARING),
        Family("objectives.md", "tasks.NAME.loss", "for", objectives),
    ]


def generated(family: Family) -> str:
    """The part of a family's page that its members write."""
    head = [f"| `{family.key}` | what it does | {family.last} |", "| --- | --- | --- |"]
    rows = [*head, *map(row, family.members)]
    return "\n\n".join(["\n".join(rows), *filter(None, map(details, family.members))])


def row(entry: Entry) -> str:
    """A member's row."""
    link = Path(os.path.relpath(entry.file.resolve(), PAGES.resolve())).as_posix()
    summary = f"{paragraphs(entry.text)[0]} ([`{entry.file.name}`]({link}))"
    return table_row([entry.name, summary, entry.last])


def details(entry: Entry) -> str:
    """What a member's docstring says below its first line, and its options; "" if nothing."""
    _, *rest = paragraphs(entry.text)
    if not (rest or entry.options):
        return ""
    parts = [f"### {entry.name.split(' (')[0]}", *rest]
    if entry.options:
        head = ["| option | values | default | meaning |", "| --- | --- | --- | --- |"]
        rows = [
            table_row([f"`{key}`", values(field), default(field), field.description or ""])
            for key, field in entry.options.items()
        ]
        parts.append("\n".join([*head, *rows]))
    return "\n\n".join(parts)


def paragraphs(text: str) -> list[str]:
    """Of a docstring, each on one line; indented ones stay as they are."""
    return [
        part if part.startswith("    ") else " ".join(part.split()) for part in text.split("\n\n")
    ]


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
    for family in families():
        file = PAGES / family.page
        old = file.read_text("utf-8")
        new = page(family, old)
        stale |= new != old
        if not check:
            file.write_text(new, encoding="utf-8")
    return int(check and stale)


if __name__ == "__main__":
    raise SystemExit(main())
