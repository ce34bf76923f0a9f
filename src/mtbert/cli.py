"""The command line: arguments → one function call.

Results go to standard output, progress and warnings to standard error. Exit codes: 0 done, 2 the
user's input is wrong, 130 interrupted, 1 anything else. Modules are imported by the command that
needs them, so that help is instant.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtbert.errors import ReportedElsewhere, TrainingError, UserError, printable, shown
from mtbert.version import __version__

if TYPE_CHECKING:
    from mtbert.distributed.processes import Processes

__all__ = ["main"]

_OVERRIDES = "dotted settings, as in training.epochs=3 or seed=7"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parse(arguments)
    log = logging.StreamHandler(sys.stderr)
    log.setFormatter(_Printable("%(message)s"))
    logging.basicConfig(
        level=logging.WARNING if options.quiet else logging.INFO, handlers=[log], force=True
    )
    for noisy in ("httpx", "httpx2", "huggingface_hub", "filelock"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        options.run(options)
    except UserError as error:
        print(f"mtbert: {error}", file=sys.stderr)
        return 2
    except TrainingError as error:
        print(f"mtbert: {error}", file=sys.stderr)
        return 1
    except ReportedElsewhere as error:
        return error.code
    except BrokenPipeError:
        # The reader has gone; leave without a second complaint at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt as error:
        print(f"mtbert: {str(error) or 'interrupted'}", file=sys.stderr)
        return 130
    return 0


class _Printable(logging.Formatter):
    """Log lines name what data files hold, so they are written as `printable` does."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _path(text: str) -> Path:
    """A path of the command line, if the system can look it up.

    Raises:
        ArgumentTypeError: the name is too long, runs in a circle of links, or may not be seen.
    """
    try:
        Path(text).stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # told by the command, if it needs the file
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise argparse.ArgumentTypeError(f"{shown(text)}: {reason}") from None
    return Path(text)


def _file_to_write(text: str) -> Path:
    """A path of the command line that is no folder.

    Raises:
        ArgumentTypeError: it is one, or `_path` refuses it.
    """
    path = _path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{shown(text)}: is a folder, expected a file")
    return path


def _train(options: argparse.Namespace) -> None:
    from mtbert.distributed.launch import join_processes

    with join_processes() as processes:
        text = _run(options, processes)
        if processes.is_main:
            print(text)


def _run(options: argparse.Namespace, processes: Processes) -> str:
    """Train, or plan; what is to be printed."""
    from mtbert.config.load import load_config

    with processes.all_or_none():
        settings = load_config(options.config, options.override)
    from mtbert.training import run

    if options.dry_run:
        return run.plan(settings, processes)
    output = options.output or Path("runs") / Path(options.config).stem
    summary = run.train(settings, output, resume=options.resume, processes=processes)
    from mtbert.reports.tables import scores_table

    return f"{scores_table(summary)}\n\nrun folder: {output}"


def _evaluate(options: argparse.Namespace) -> None:
    from mtbert.commands.runs import evaluate_run
    from mtbert.io.atomic import finite
    from mtbert.reports.tables import scores_table

    scores = evaluate_run(options.run_folder, options.split)
    if options.json:
        print(json.dumps(finite(scores), indent=2, allow_nan=False))
    else:
        print(scores_table(scores))


def _predict(options: argparse.Namespace) -> None:
    from mtbert.commands.runs import predict_file

    predict_file(options.run_folder, options.task, options.input, options.output)


def _leaderboard(options: argparse.Namespace) -> None:
    from mtbert.commands.runs import write_leaderboard

    for line in write_leaderboard(options.run_folders, options.data, options.output):
        print(line)


def _experiment(options: argparse.Namespace) -> None:
    from mtbert.studies import grid

    found = grid.cells(grid.load_grid(options.experiment), options.override)
    output = options.output or Path("runs") / Path(options.experiment).stem
    if options.dry_run:
        from mtbert.console.board import plan_table

        print(plan_table(found, output, options.export))
        return
    from mtbert.studies.runner import run_cells

    run_cells(found, output, options.workers, export=options.export)
    print(f"study: {output}")


def _report(options: argparse.Namespace) -> None:
    from mtbert.reports.runs import write_report

    folder = options.folder
    if options.export is not None:
        from mtbert.studies.results import export

        export(folder, options.export)
        folder = options.export
    for path in write_report(folder):
        print(path)


def _compare(options: argparse.Namespace) -> None:
    from mtbert.reports.compare import compare

    print(compare(options.run_folders))


def _data_check(options: argparse.Namespace) -> None:
    from mtbert.commands.check_data import check_config, check_file

    first = options.source[0]
    if len(options.source) == 1 and (first.endswith((".yaml", ".yml")) or "." not in first):
        text, clean = check_config(first, options.override)
        clean_all = clean
        print(printable(text))
    else:
        clean_all = True
        for source in options.source:
            text, clean = check_file(Path(source))
            clean_all &= clean
            print(printable(text))
    if not clean_all:
        raise UserError("there are bad rows; mend them, or leave them out with on_bad_rows: skip")


def _bench(options: argparse.Namespace) -> None:
    from mtbert.commands.bench import bench, bench_table
    from mtbert.io.atomic import finite

    found = bench(options.override)
    if options.json:
        print(json.dumps(finite(found), indent=2, allow_nan=False))
    else:
        print(bench_table(found))


def _convert(options: argparse.Namespace) -> None:
    from mtbert.model.convert_pickle import convert_legacy

    output = options.output or options.file.with_name("model.safetensors")
    count = convert_legacy(options.file, output)
    print(f"{output}: {count} tensors")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options and overrides in any order; argparse alone wants all overrides before --output."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    overridable = options.run in (_train, _experiment, _bench)
    if rest and overridable and not any(part.startswith("-") for part in rest):
        options.override += rest
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number from 1")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mtbert", description="Fine-tune one BERT on several sentence tasks."
    )
    parser.add_argument("--version", action="version", version=f"mtbert {__version__}")
    parser.add_argument("--quiet", action="store_true", help="warnings only on standard error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="one run, from a configuration to a run folder")
    train.add_argument("config", help="a YAML file, or the name of a shipped configuration")
    train.add_argument("override", nargs="*", metavar="KEY=VALUE", help=_OVERRIDES)
    train.add_argument("--output", type=_path, help="run folder (default: runs/NAME)")
    train.add_argument("--resume", action="store_true", help="go on where the run stopped")
    train.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("evaluate", help="scores of the best model of a run")
    evaluate.add_argument("run_folder", type=_path, metavar="RUN")
    evaluate.add_argument("--split", default="dev", choices=["train", "dev", "test"])
    evaluate.add_argument("--json", action="store_true", help="print JSON")
    evaluate.set_defaults(run=_evaluate)

    predict = commands.add_parser("predict", help="answers for a CSV, TSV or JSONL file")
    predict.add_argument("run_folder", type=_path, metavar="RUN")
    predict.add_argument("--task", required=True)
    predict.add_argument("input", help="a file, or - for standard input")
    predict.add_argument(
        "--output", type=_file_to_write, help="JSONL file (default: standard output)"
    )
    predict.set_defaults(run=_predict)

    leaderboard = commands.add_parser("leaderboard", help="the course's six prediction files")
    leaderboard.add_argument("run_folders", type=_path, nargs="+", metavar="RUN-or-STUDY")
    leaderboard.add_argument("--data", type=_path, required=True, help="the course's data folder")
    leaderboard.add_argument("--output", type=_path, required=True)
    leaderboard.set_defaults(run=_leaderboard)

    experiment = commands.add_parser("experiment", help="a grid of runs, from a file or by name")
    experiment.add_argument("experiment", help="a grid's YAML file, or the name of a shipped one")
    experiment.add_argument("override", nargs="*", metavar="KEY=VALUE", help=_OVERRIDES)
    experiment.add_argument("--output", type=_path, help="study folder (default: runs/NAME)")
    experiment.add_argument(
        "--workers", type=_positive, default=1, metavar="N", help="runs at once, threads shared"
    )
    experiment.add_argument(
        "--export", type=_path, metavar="FOLDER",
        help="write each finished run's result as JSON to FOLDER/runs; what is there is not run",
    )  # fmt: skip
    experiment.add_argument("--dry-run", action="store_true", help="list the runs and stop")
    experiment.set_defaults(run=_experiment)

    report = commands.add_parser(
        "report", help="tables, figures and HTML of the runs below a folder"
    )
    report.add_argument("folder", type=_path, metavar="DIR")
    report.add_argument(
        "--export", type=_path, metavar="FOLDER",
        help="of a study: write its results as JSON to FOLDER/runs, and the Markdown beside it",
    )  # fmt: skip
    report.set_defaults(run=_report)

    compare = commands.add_parser("compare", help="runs side by side: scores, settings, intervals")
    compare.add_argument("run_folders", type=_path, nargs="+", metavar="RUN")
    compare.set_defaults(run=_compare)

    data = commands.add_parser("data", help="look at data").add_subparsers(
        required=True, metavar="check"
    )
    check = data.add_parser("check", help="read, validate, count; problems by line")
    check.add_argument("source", nargs="+", metavar="CONFIG-or-FILES")
    check.add_argument("--set", dest="override", action="append", default=[], metavar="KEY=VALUE")
    check.set_defaults(run=_data_check)

    bench = commands.add_parser("bench", help="what this machine uses, and how fast it trains")
    bench.add_argument("override", nargs="*", metavar="KEY=VALUE", help=_OVERRIDES)
    bench.add_argument("--json", action="store_true", help="print JSON")
    bench.set_defaults(run=_bench)

    convert = commands.add_parser("convert", help="pytorch_model.bin → model.safetensors")
    convert.add_argument("file", type=_path)
    convert.add_argument("output", type=_file_to_write, nargs="?")
    convert.set_defaults(run=_convert)
    return parser
