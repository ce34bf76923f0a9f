"""A proposal → the text of a configuration, with a comment for what was guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mtbert.data.guess.proposal import ProposedTable, ProposedTask

__all__ = ["config_text"]

_PLAIN = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./%-]*(?: [A-Za-z0-9_./-]+)*")
_MEANS_MORE = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"])
_WIDTH = 98
_SHOWN = 8
_WRITTEN_OUT = 40
"""Classes up to which they are listed with their counts in a comment."""


def config_text(tables: Sequence[ProposedTable], folder: str, command: str) -> str:
    """The configuration.

    Args:
        tables: with their tasks.
        folder: where the files are, from where the configuration will be.
        command: that wrote it.
    """
    lines = [
        f"# Written by `{_comment(command)}`. Change what was not guessed right; then",
        "#   mtbert train THIS_FILE",
        "# Keys that are left out have defaults: docs/configuration.md has all of them.",
        "",
        "data:",
        f"  dir: {_scalar(folder)}  # the folder of the files, from this one",
        "  # split_seed: 1  # another number holds out other rows",
        "",
        "tasks:",
    ]
    for table in tables:
        lines += _table_comment(table)
        for task in table.tasks:
            lines += [f"  {_scalar(task.name)}:", *_task_lines(task), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _table_comment(table: ProposedTable) -> list[str]:
    lines = [f"  # {_comment(table.files.train.name)}: {table.profile.rows} rows"]
    lines += [
        f"  # column {_comment(repr(name))} is not used: it {_comment(why)}"
        for name, why in table.roles.left_out.items()
        if name != table.roles.id
    ]
    return lines + [f"  # {_comment(note)}" for note in table.notes]


def _task_lines(task: ProposedTask) -> list[str]:
    lines = []
    for key, value in task.fields.items():
        remark = _remark(key, task)
        text = f"    {key}: {_value(value)}"
        if isinstance(value, list) and len(text) > _WIDTH:
            lines += [f"    {key}:{remark}", *(f"      - {_scalar(item)}" for item in value)]
        else:
            lines.append(f"{text}{remark}")
    span = task.target.span
    if task.target.kind == "regression" and task.target.range is None and span is not None:
        lines.append(f"    # range: [{span[0]:g}, {span[1]:g}]  # would keep the answers within")
    return lines


def _remark(key: str, task: ProposedTask) -> str:
    """A comment behind a line."""
    target = task.target
    if key == "kind":
        told = _about(task)
        return f"  # {told}" if told else ""
    if key == "dev" and task.fields["dev"].endswith("%"):
        return "  # of the train file is held out to choose the best epoch; or name a file"
    if key == "label_separator":
        return "  # between the labels of a row"
    if key == "range":
        return "  # answers are kept within"
    if key == "on_bad_rows":
        return "  # bad rows are left out: mtbert data check lists them"
    if key == "labels" and target.counts and len(target.counts) <= _WRITTEN_OUT:
        few = list(target.counts.items())[:_SHOWN]
        counts = ", ".join(f"{n}" for _, n in few)
        return f"  # examples: {counts}{', …' if len(target.counts) > _SHOWN else ''}"
    return ""


def _about(task: ProposedTask) -> str:
    target = task.target
    doubt = f"; if they are not, `{target.doubt}`" if target.doubt else ""
    if target.kind == "regression" and target.span is not None:
        low, high = target.span
        told = f"numbers from {low:g} to {high:g}"
        return f"{told}; if they are classes, `{target.doubt}`" if target.doubt else told
    if target.kind == "classification":
        return f"{len(target.counts)} classes{doubt}"
    several = f"; else {target.doubt}" if target.doubt else ""
    return f"any number of {len(target.counts)} labels a row{several}"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_value(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_scalar(item) for item in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """A value as YAML; text in quotes unless it can mean nothing else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return f"{value}"
    number = re.fullmatch(r"[-+.]*\d[\d._a-fA-FxXoO:+-]*|\.?(?:inf|nan)", value, re.IGNORECASE)
    if _PLAIN.fullmatch(value) and value.lower() not in _MEANS_MORE and not number:
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _comment(text: str) -> str:
    """A text on one line of a comment."""
    flat = " ".join(text.split())
    return "".join(c if c.isprintable() else "?" for c in flat)[:200]
