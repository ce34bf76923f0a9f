"""`mtbert compare`: runs side by side."""

from __future__ import annotations

import argparse

from mtbert.commands.base import existing_or_new

__all__ = ["HELP", "add_arguments", "run"]

HELP = "runs side by side: scores, settings, intervals"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run_folders", type=existing_or_new, nargs="+", metavar="RUN")


def run(options: argparse.Namespace) -> None:
    """Print the tables."""
    from mtbert.reports.compare import compare

    print(compare(options.run_folders))
