"""`mtbert predict`: a run's predictions for a CSV, TSV or JSONL file, as JSONL."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mtbert.commands.base import existing_or_new, file_to_write
from mtbert.errors import UserError

if TYPE_CHECKING:
    from mtbert.config.tasks import TaskSettings
    from mtbert.data.examples import Example

__all__ = ["HELP", "add_arguments", "predict_file", "run"]

HELP = "answers for a CSV, TSV or JSONL file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run_folder", type=existing_or_new, metavar="RUN")
    parser.add_argument("--task", required=True)
    parser.add_argument("input", help="a file, or - for standard input")
    parser.add_argument(
        "--output", type=file_to_write, help="JSONL file (default: standard output)"
    )


def run(options: argparse.Namespace) -> None:
    """Write the predictions."""
    predict_file(options.run_folder, options.task, options.input, options.output)


def predict_file(path: Path, task: str, source: str, output: Path | None) -> None:
    """Stream predictions for a file (`-`: standard input) as JSONL, in constant memory.

    Written to standard output, or to a file that appears when it is complete. A bad row stops the
    command at its line; nothing half-written is left.

    Raises:
        UserError: no such run or task, or a bad row.
    """
    import json

    from mtbert.data.readers.table import open_table
    from mtbert.inference.predict import predict_stream
    from mtbert.inference.saved_run import load_run
    from mtbert.io import atomic

    settings, model = load_run(path)
    if task not in settings.tasks:
        raise UserError(f"--task: found {task!r}, expected one of {', '.join(settings.tasks)}")
    name = "standard input" if source == "-" else source
    with (
        nullcontext(sys.stdin.buffer) if source == "-" else open_table(Path(source)) as stream,
        nullcontext(sys.stdout) if output is None else atomic.new_file(output) as target,
    ):
        examples = _examples(stream, name, settings.tasks[task])
        for example, prediction in predict_stream(
            model.network, task, examples, model.tokenizer, model.max_length
        ):
            row = {"id": example.id, **prediction.as_json()}
            target.write(json.dumps(row, ensure_ascii=False) + "\n")


def _examples(stream: BinaryIO, name: str, task: TaskSettings) -> Iterator[Example]:
    from mtbert.data.examples import parse_rows
    from mtbert.data.readers.table import read_table

    for example in parse_rows(read_table(stream, name), task, labelled=False):
        if isinstance(example, str):
            raise UserError(f"{example}; fix the row and start again")
        yield example
