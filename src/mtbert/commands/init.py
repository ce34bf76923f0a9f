"""`mtbert init`: files → a commented configuration that trains."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtbert.commands.base import existing_or_new, file_to_write
from mtbert.errors import UserError, printable, shown

if TYPE_CHECKING:
    from mtbert.config.settings import Settings
    from mtbert.data.examples import Example
    from mtbert.data.guess.proposal import ProposedTable, ProposedTask

__all__ = ["HELP", "add_arguments", "run", "write_config"]

HELP = "guess a configuration from data files, and write it"

_EXAMPLES = 3
_LONGEST_TEXT = 70


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "files", nargs="+", type=existing_or_new, metavar="FILE",
        help="CSV, TSV or JSONL files or a folder of them; names tell train, dev and test",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=file_to_write, default=Path("config.yaml"), metavar="CONFIG",
        help="the configuration (default: config.yaml)",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


def run(options: argparse.Namespace) -> None:
    """Write the configuration, and show what was guessed."""
    print(printable(write_config(options.files, options.output, force=options.force)))


def write_config(given: Sequence[Path], output: Path, *, force: bool = False) -> str:
    """Guess, check by reading every row as `train` will, and write.

    Args:
        given: files and folders.
        output: the configuration.
        force: whether it may replace a file.

    Returns:
        What was guessed, for people.

    Raises:
        UserError: the configuration is there, or the files have no tasks in them.
    """
    from mtbert.data.guess.config_text import config_text
    from mtbert.data.guess.files import data_files, grouped
    from mtbert.data.guess.proposal import propose
    from mtbert.io.output import output_to

    if output.exists() and not force:
        raise UserError(f"{output}: is there already; write over it with --force, or name another")
    tables, unused = grouped(data_files(given))
    folder = Path(os.path.commonpath([Path(os.path.realpath(t.train)).parent for t in tables]))
    proposed = propose(tables, folder)
    here = _from(folder, output.parent)
    command = shlex.join(["mtbert", "init", *map(str, given)])
    settings = _settings(config_text(proposed, here, command), folder, output)
    told = [_check(settings, table) for table in proposed]
    text = config_text(proposed, here, command)
    settings = _settings(text, folder, output)
    with output_to(output) as stream:
        stream.write(text)
    lines = [line for part in told for line in (*part, "")]
    lines += [f"not used: {file}" for file in unused]
    lines.append(f"written: {output}; next: mtbert train {shlex.quote(str(output))}")
    return "\n".join(lines)


def _from(folder: Path, start: Path) -> str:
    """The folder of the files as the configuration names it."""
    start = Path(os.path.realpath(start))
    try:
        return Path(os.path.relpath(folder, start)).as_posix()
    except ValueError:  # another drive
        return str(folder)


def _settings(text: str, folder: Path, output: Path) -> Settings:
    """The configuration as it will be read."""
    from mtbert.config.load import parse_settings
    from mtbert.config.yaml import parse_yaml

    tree = parse_yaml(text, str(output))
    tree["data"]["dir"] = str(folder)
    return parse_settings(tree, str(output))


def _check(settings: Settings, table: ProposedTable) -> list[str]:
    """Read the files of a table as its tasks will; bad rows are to be left out.

    Returns:
        What is told of the table.

    Raises:
        UserError: a task has no usable row, or too few to hold some out.
    """
    first, *others = table.files.all
    files = [str(first), *(file.name for file in others)]
    form, bad = table.profile.form, table.profile.bad
    rows = f"{table.profile.rows} rows" + (f", and {bad} that cannot be read" if bad else "")
    lines = [f"{', '.join(files)}: {rows}"]
    if form is None:
        lines[0] += "; JSON lines"
    else:
        quotes = "quotes are text" if form.quoting == "none" else "standard quoting"
        header = "" if form.header else ", no header"
        lines[0] += f"; separated by {form.separator}s, {quotes}{header}, {form.encoding}"
    for name in table.profile.columns:
        lines.append(f"  {shown(name)}: {_role(table, name)}")
    lines += [f"  {note}" for note in table.notes]
    for task in table.tasks:
        lines += _check_task(settings, task)
    return lines


def _role(table: ProposedTable, column: str) -> str:
    roles = table.roles
    if column in roles.texts:
        return ("text", "second text of the pair")[roles.texts.index(column)]
    if column == roles.title:
        return f"read in front of {shown(roles.texts[0])}"
    if column == roles.id:
        return "names the rows"
    for task in table.tasks:
        columns = task.fields["columns"]
        if column == columns.get("label") or column in columns.get("labels", ()):
            return f"label of {task.name}"
    return f"not used: it {roles.left_out.get(column, 'is no label')}"


def _check_task(settings: Settings, task: ProposedTask) -> list[str]:
    """Read the rows of a task; leave bad ones out, if there are any.

    Raises:
        UserError: there is no usable row, or too few to hold some out.
    """
    from mtbert.config.fields import share_of
    from mtbert.data.examples import read_examples
    from mtbert.data.held_out import rows_of
    from mtbert.data.sources import locate
    from mtbert.data.tasks import skipping_bad_rows

    lenient = skipping_bad_rows(settings)
    known = lenient.tasks[task.name]
    counts, problems, chosen = [], [], list[str]()
    examples: list[Example] = []
    for part, file in {"train": known.train, **known.dev_files}.items():
        if file is None or share_of(file) is not None:
            continue
        found = read_examples(
            locate(lenient, file), known, blank_is_unlabelled=lenient.shares_file(file)
        )
        problems += found.left_out.problems
        counts.append(f"{len(found.examples)} {part}")
        examples = examples or found.examples
    if known.held_out is not None:
        rows = rows_of(lenient, task.name, known.dev_files["dev"])
        held = 0 if rows is None else sum(1 for _ in rows.of(examples))
        if not 0 < held < len(examples):
            raise UserError(
                f"task {task.name}: {len(examples)} usable rows are too few, or share too many "
                "texts, to hold some out; give more rows, or a dev file"
            )
        more = held > 1.5 * known.held_out * len(examples)
        why = ", for each class has a row there" if more and task.target.counts else ""
        counts = [f"{len(examples) - held} train", f"{held} held out for dev{why}"]
    if problems:
        task.fields["on_bad_rows"] = "skip"
        chosen.append(f"    {len(problems)} bad rows are left out, such as {problems[0]}")
    fields = task.fields
    kind = f"{fields['kind']}, range {fields['range']}" if "range" in fields else fields["kind"]
    if task.target.counts:
        kind += f" of {len(task.target.counts)}: {_some(list(task.target.counts))}"
    lines = [f"  task {task.name}: {kind}; {', '.join(counts)}", *chosen]
    names = {} if known.kind.is_regression else dict(enumerate(known.class_names))
    return lines + [
        f"    {_rendered(e, names, known.kind.is_multilabel)}" for e in _varied(examples)
    ]


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(str, names[:6])) + (", …" if len(names) > 6 else "")


def _varied(examples: Sequence[Example]) -> list[Example]:
    """Three examples, of different labels if there are such."""
    first: dict[object, Example] = {}
    for example in examples:
        first.setdefault(example.label, example)
    chosen = [*first.values(), *examples]
    return list({id(example): example for example in chosen}.values())[:_EXAMPLES]


def _rendered(example: Example, names: Mapping[int, str], multilabel: bool) -> str:
    """An example as one line: its texts → its label."""
    texts = " | ".join(_cut(" ".join(text.split())) for text in example.texts)
    label = example.label
    if multilabel and isinstance(label, tuple):
        return (
            f"{texts} → {', '.join(names[i] for i, said in enumerate(label) if said) or '(none)'}"
        )
    if names and isinstance(label, (int, float)):
        return f"{texts} → {names[int(label)]}"
    return f"{texts} → {label:g}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
