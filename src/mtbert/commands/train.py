"""`mtbert train`: one run, from a configuration to a run folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mtbert.commands.base import add_overrides, existing_or_new

if TYPE_CHECKING:
    from mtbert.distributed.processes import Processes

__all__ = ["HELP", "add_arguments", "run"]

HELP = "one run, from a configuration to a run folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("config", help="a YAML file, or the name of a shipped configuration")
    add_overrides(parser)
    parser.add_argument("--output", type=existing_or_new, help="run folder (default: runs/NAME)")
    parser.add_argument("--resume", action="store_true", help="go on where the run stopped")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")


def run(options: argparse.Namespace) -> None:
    """Train, or plan, in one process or several; the main one prints."""
    from mtbert.distributed.launch import join_processes

    with join_processes() as processes:
        text = _train(options, processes)
        if processes.is_main:
            print(text)


def _train(options: argparse.Namespace, processes: Processes) -> str:
    """What is to be printed: the plan, or the scores."""
    from mtbert.config.load import load_config

    with processes.all_or_none():
        settings = load_config(options.config, options.override)
    from mtbert.training import run  # imports torch: only now, when the configuration is right

    if options.dry_run:
        return run.plan(settings, processes)
    output = options.output or Path("runs") / Path(options.config).stem
    summary = run.train(settings, output, resume=options.resume, processes=processes)
    from mtbert.reports.tables import scores_table

    return f"{scores_table(summary)}\n\nrun folder: {output}"
