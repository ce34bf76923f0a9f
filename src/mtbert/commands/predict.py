"""`mtbert predict`: a model's answers to the rows of a file or to texts, as JSONL, CSV or TSV."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from mtbert.commands.base import check_not_read, file_to_write
from mtbert.commands.source import add_source, asked_tasks, mapped_columns, reading_columns
from mtbert.errors import SHOWN_PROBLEMS, UserError

if TYPE_CHECKING:
    from mtbert.config.tasks import TaskSettings
    from mtbert.data.readers.base import Table
    from mtbert.inference.answering import Answerer

__all__ = ["HELP", "add_arguments", "predict_file", "run"]

HELP = "answers for a CSV, TSV or JSONL file, or for --text"

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_source(parser)
    parser.set_defaults(places=("source", "input"))
    parser.add_argument("input", nargs="?", help="a file, or - for standard input")
    parser.add_argument("--text", action="append", help="a text to answer (may be repeated)")
    parser.add_argument("--text2", action="append", help="the second text of a pair")
    parser.add_argument(
        "--output", type=file_to_write, metavar="FILE",
        help=".jsonl, .csv or .tsv (default: JSONL on standard output)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """Write the answers."""
    columns = mapped_columns(options, "predict", "input")
    if options.text is not None or options.text2 is not None:
        if options.input is not None:
            raise UserError("predict: found a file and --text, expected one of them")
        _predict_texts(options)
        return
    if options.input is None:
        raise UserError("predict: nothing to answer; give a file, - for standard input, or --text")
    predict_file(
        options.source, options.task, options.input, options.output,
        columns=columns, skip_bad_rows=options.on_bad_rows == "skip", others=options.others,
    )  # fmt: skip


def predict_file(
    model: str | Path,
    task: str | Sequence[str] | None,
    source: str,
    output: Path | None,
    *,
    columns: Mapping[str, str] | None = None,
    skip_bad_rows: bool = False,
    others: Sequence[str] = (),
) -> None:
    """Stream answers for a file (`-`: standard input), in constant memory.

    Written to standard output, or to a file that appears when it is complete. A bad row stops the
    command at its line, and nothing half-written is left; or it is left out and counted.

    Args:
        model: a run, a model folder or a Hub id.
        task: one or more names; None: all tasks whose columns the file has.
        source: the file.
        output: JSON lines, or CSV or TSV by its name.
        columns: `--columns`, see `source.reading_columns`.
        skip_bad_rows: leave them out.
        others: further models that answer together with it.

    Raises:
        UserError: no such model or task, no column to read, or a bad row.
    """
    from mtbert.data.inputs import format_of_other_files
    from mtbert.data.readers.table import open_table, read_table
    from mtbert.inference.answer_files import answer_writer, check_answer_file
    from mtbert.inference.ensemble import load_models
    from mtbert.io.output import output_to
    from mtbert.io.pausing import telling_pauses

    if output is not None:
        check_answer_file(output)
        check_not_read(output, source)
    names = [task] if isinstance(task, str) else task
    piped = source == "-"
    with nullcontext(sys.stdin.buffer) if piped else open_table(Path(source)) as opened:
        loaded = load_models(str(model), others)
        asked = asked_tasks(loaded.task_settings, names, loaded.left_out)
        mapped = reading_columns(asked, columns or {})
        with output_to(output) as target:
            work = _Work(mapped, required=names is not None)
            stream = telling_pauses(opened, work.pause)
            form = format_of_other_files(asked)
            table = read_table(stream, "standard input" if piped else source, form)
            tasks = work.begin(table, (columns or {}).get("id"))
            writer = answer_writer(target, output, list(asked))
            work.answer(loaded.answerer(tasks, writer.write), target.flush, skip=skip_bad_rows)
            writer.close()


class _Work:
    """Answering the rows of one table; a pause of the one who writes it hands out what is ready."""

    def __init__(self, tasks: Mapping[str, TaskSettings], *, required: bool) -> None:
        self._asked, self._required = tasks, required
        self._answerer: Answerer | None = None

    def pause(self) -> None:
        """Answer what has come so far."""
        if self._answerer is not None:
            self._answerer.flush()
            self._flush()

    def begin(self, table: Table, id_column: str | None) -> dict[str, TaskSettings]:
        """Look at the columns; the tasks that find theirs."""
        from mtbert.data.inputs import inputs_of, tasks_that_fit

        self._name = table.name
        self._inputs = inputs_of(table, self._asked, id_column)
        for name, task in self._asked.items():
            if name not in self._inputs.tasks:
                if self._required:
                    tasks_that_fit(table.name, self._inputs.columns, {name: task})
                needed = " and ".join(map(repr, task.text_columns))
                _log.info("%s: task %s is left out: no %s", table.name, name, needed)
        return {name: self._asked[name] for name in self._inputs.tasks}

    def answer(self, answerer: Answerer, flush: Callable[[], object], *, skip: bool) -> None:
        """Answer every row; at the end, say how many there were."""
        from mtbert.console.counting import RowCounter

        self._answerer, self._flush = answerer, flush
        counter, bad = RowCounter(), 0
        try:
            for row in self._inputs.rows:
                if not isinstance(row, str):
                    answerer.ask(row)
                elif not skip:
                    raise UserError(
                        f"{row}; fix the row and start again, or leave such rows out with "
                        "--on-bad-rows skip"
                    )
                else:
                    bad += 1
                    if bad <= SHOWN_PROBLEMS:
                        _log.warning("skipped: %s", row)
                counter.advance()
            answerer.flush()
        finally:
            counter.close()
        _log.info("%s", _closing_line(answerer, bad, counter.seconds))


def _closing_line(answerer: Answerer, bad: int, seconds: float) -> str:
    rows = answerer.answered + bad
    parts = [f"{rows:,} row{'' if rows == 1 else 's'}: {answerer.answered:,} answered"]
    parts += [f"{bad:,} bad and skipped"] if bad else []
    parts += [f"{answerer.cut:,} too long and cut"] if answerer.cut else []
    parts += [f"{answerer.blank:,} with an empty text"] if answerer.blank else []
    return f"{', '.join(parts)}; {seconds:.1f} s"


def _predict_texts(options: argparse.Namespace) -> None:
    """Answer `--text`: for people on a terminal, JSON lines elsewhere."""
    from mtbert.data.inputs import Question
    from mtbert.inference.answer_files import answer_writer, check_answer_file, readable_writer
    from mtbert.inference.ensemble import load_models
    from mtbert.io.output import output_to

    output: Path | None = options.output
    if output is not None:
        check_answer_file(output)
    model = load_models(options.source, options.others)
    asked = asked_tasks(model.task_settings, options.task, model.left_out)
    texts = _texts(options, only_pairs=all(task.kind.is_pair for task in asked.values()))
    pairs = len(texts[0]) == 2
    columns = {"text": "text", "text2": "text2"}
    tasks = {
        name: task for name, task in reading_columns(asked, columns).items()
        if task.kind.is_pair == pairs
    }  # fmt: skip
    left = [name for name in asked if name not in tasks]
    if not tasks or (left and options.task is not None):
        takes = "one text each: --text" if pairs else "two texts: --text … --text2 …"
        raise UserError(f"predict: task {', '.join(left)} takes {takes}")
    for name in left:
        takes = "one text" if pairs else "two texts (--text2)"
        _log.info("task %s is left out: it takes %s", name, takes)
    with output_to(output) as target:
        people = target is sys.stdout and target.isatty()
        writer = readable_writer(target) if people else answer_writer(target, output, list(asked))
        answerer = model.answerer(tasks, writer.write)
        read = next(iter(tasks.values())).text_places
        for number, text in enumerate(texts, start=1):
            answerer.ask(Question(str(number), number, {read: tuple(t.strip() for t in text)}))
        answerer.flush()


def _texts(options: argparse.Namespace, *, only_pairs: bool) -> list[tuple[str, ...]]:
    """The texts or pairs of the command line.

    Raises:
        UserError: they do not make pairs.
    """
    first, second = options.text or [], options.text2
    if second is not None:
        if len(first) != len(second):
            raise UserError(
                f"predict: {len(first)} --text and {len(second)} --text2, expected as many"
            )
        return list(zip(first, second, strict=True))
    if only_pairs and len(first) % 2 == 0:
        return list(zip(first[::2], first[1::2], strict=True))
    return [(text,) for text in first]
