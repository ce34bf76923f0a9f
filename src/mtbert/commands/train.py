"""`mtbert train`: one run, from a configuration or, to go on with it, from its folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtbert.commands.base import add_overrides, existing_or_new, looked_up
from mtbert.errors import UserError, shown
from mtbert.io.paths import is_file, is_folder

if TYPE_CHECKING:
    from mtbert.config.settings import Settings
    from mtbert.distributed.processes import Processes

__all__ = ["HELP", "add_arguments", "run"]

HELP = "one run, from a configuration to a run folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.usage = (
        "mtbert train CONFIG [KEY=VALUE …] [--output RUN] [--resume] [--dry-run]\n"
        "       mtbert train --resume RUN [KEY=VALUE …]"
    )
    parser.add_argument(
        "config", nargs="?", help="a YAML file, or the name of a shipped configuration"
    )
    add_overrides(parser)
    parser.add_argument(
        "--output", type=existing_or_new, metavar="RUN", help="run folder (default: runs/NAME)"
    )
    parser.add_argument(
        "--resume", nargs="?", const="", metavar="RUN",
        help="go on where the run stopped; --resume RUN needs nothing but its folder",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")


def run(options: argparse.Namespace) -> None:
    """Train, or plan, in one process or several; the main one prints.

    Raises:
        KeyboardInterrupt: interrupted; the message has the command that goes on.
    """
    from mtbert.console.interrupt import stopping_at_signals
    from mtbert.distributed.launch import join_processes

    _settle(options)
    with stopping_at_signals(), join_processes() as processes:
        try:
            text = _train(options, processes)
        except KeyboardInterrupt as error:
            if not processes.is_main or options.dry_run:
                raise
            raise type(error)(_how_to_go_on(options)) from None
        if processes.is_main:
            print(text)


def _settle(options: argparse.Namespace) -> None:
    """Which arguments are the configuration, overrides and the run: `--resume` may have either.

    Raises:
        UserError: neither a configuration nor a run is named, or two runs are.
    """
    run_folder: str = options.resume or ""
    options.from_folder = False
    options.resume = options.resume is not None
    if options.config is not None and _is_override(options.config):
        options.override = [options.config, *options.override]
        options.config = None
    if _is_override(run_folder):
        options.override = [run_folder, *options.override]
    elif run_folder and options.config is None and not _holds_run(run_folder):
        options.config = run_folder  # `--resume CONFIG`, the option before the configuration
    elif run_folder:
        folder = looked_up(run_folder)
        if options.output not in (None, folder):
            raise UserError(
                f"--resume {shown(run_folder)} and --output {shown(str(options.output))} name two "
                "runs; expected one of them"
            )
        options.output, options.from_folder = folder, options.config is None
    if options.config is None and not options.from_folder:
        from mtbert.config.load import shipped_configs

        raise UserError(
            "train: no configuration; give a YAML file or one of "
            f"{', '.join(shipped_configs())}, or --resume RUN to go on with a run"
        )
    if options.output is None:
        options.output = Path("runs") / Path(options.config).stem


def _is_override(text: str) -> bool:
    return "=" in text and not (is_file(Path(text)) or is_folder(Path(text)))


def _holds_run(name: str) -> bool:
    folder = looked_up(name)
    if folder.is_dir() and not (folder / "config.yaml").exists():
        raise UserError(f"{name}: not a run folder, no config.yaml in it")
    return folder.is_dir()


def _train(options: argparse.Namespace, processes: Processes) -> str:
    """What is to be printed: the plan, or the scores."""
    output: Path = options.output
    if options.from_folder and not options.override and not options.dry_run:
        summary = processes.on_main(lambda: _finished(output))
        if summary:
            return _scores(summary, output)
    settings = _settings(options, processes)
    from mtbert.training import run  # imports torch: only now, when the configuration is right

    if options.dry_run:
        return run.plan(settings, processes)
    return _scores(run.train(settings, output, resume=options.resume, processes=processes), output)


def _settings(options: argparse.Namespace, processes: Processes) -> Settings:
    """Those of the configuration, or of the run's folder, which the main process alone may see."""
    from mtbert.config.load import load_config, parse_settings

    if not options.from_folder:
        with processes.all_or_none():
            return load_config(options.config, options.override)
    source = str(options.output / "config.yaml")
    tree: dict[str, Any] = processes.on_main(
        lambda: load_config(source, options.override).written()
    )
    with processes.all_or_none():
        return parse_settings(tree, source)


def _finished(output: Path) -> dict[str, Any]:
    """The summary of a run that is finished already; empty if it is not."""
    import logging

    from mtbert.runs.folder import read_summary

    if not (output / "summary.json").is_file():
        return {}
    logging.getLogger(__name__).info("%s: this run is finished", output)
    return read_summary(output)


def _scores(summary: dict[str, Any], output: Path) -> str:
    from mtbert.reports.tables import scores_table

    return f"{scores_table(summary)}\n\nrun folder: {output}"


def _how_to_go_on(options: argparse.Namespace) -> str:
    from mtbert.commands.go_on import go_on_command

    output: Path = options.output
    begin = [options.config or "", *options.override, "--output", str(output), "--resume"]
    return f"{output}: stopped; go on with:\n  {go_on_command(output, begin)}"
