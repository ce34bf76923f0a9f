"""`mtbert tune`: a search for the settings that do best on dev."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtbert.commands.base import add_engine, add_overrides, existing_or_new, positive

if TYPE_CHECKING:
    from mtbert.studies.search.plan import Search
    from mtbert.studies.search.trials import SearchTrial

__all__ = ["HELP", "add_arguments", "run"]

HELP = "search for the settings that do best on dev"

_TRIALS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("config", help="a YAML file, or the name of a shipped configuration")
    add_overrides(parser)
    parser.add_argument(
        "--search", action="append", default=[], metavar="KEY=VALUES",
        help="a setting and its values, `A,B,C`, `LOW..HIGH`, `LOW..HIGH:log` or "
        "`LOW..HIGH:STEP`; or a YAML file of such lines; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--trials", type=positive, metavar="N",
        help=f"in all, those of earlier calls included (default: {_TRIALS}; of a grid, all)",
    )  # fmt: skip
    parser.add_argument(
        "--sampler", choices=("tpe", "random", "grid"), default="tpe",
        help="what draws the values of the next trial (default: tpe)",
    )  # fmt: skip
    parser.add_argument(
        "--pruning", choices=("median", "none"),
        help="stop a trial whose score is behind the median of the others after as many epochs "
        "(default: median; of a grid, none)",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="trials at once, threads shared"
    )
    add_engine(parser)
    parser.add_argument("--output", type=existing_or_new, help="folder (default: runs/tune-CONFIG)")


def run(options: argparse.Namespace) -> None:
    """Run the trials that are missing; write the best configuration, a table and a report."""
    from mtbert.studies.search.check import check_space
    from mtbert.studies.search.plan import Search, require_optuna
    from mtbert.studies.search.space import read_space

    space = read_space(options.search)
    settings = check_space(space, options.config, options.override)
    in_grid = options.sampler == "grid"
    pruning = options.pruning or ("none" if in_grid else "median")
    trials = options.trials or _TRIALS
    if in_grid:
        places = len(space.grid())
        trials = min(options.trials or places, places)
    require_optuna()
    from mtbert.studies.engines.table import ENGINES
    from mtbert.studies.search.tuner import tune

    search = Search(options.config, options.override, settings, space, options.sampler, pruning)
    output = options.output or Path("runs") / f"tune-{Path(options.config).stem}"
    with ENGINES[options.engine](options.workers) as engine:
        found = tune(search, output, trials, options.workers, engine)
    print(_results(search, output, found))


def _results(search: Search, folder: Path, trials: Sequence[SearchTrial]) -> str:
    """Write the files of a search that is done; what is to be printed."""
    from mtbert.commands.report import write_report
    from mtbert.config.load import load_config
    from mtbert.config.yaml import dump_yaml
    from mtbert.io import atomic
    from mtbert.reports.settings import shown_setting
    from mtbert.studies.search.trials import best_trial

    best = best_trial(trials, lower_is_better=search.lower_is_better)
    assert best is not None
    settings = load_config(str(folder / "runs" / best.run / "config.yaml"))
    values = [f"{key} = {shown_setting(value)}" for key, value in best.values.items()]
    counts = Counter(str(trial.outcome) for trial in trials)
    told = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    head = f"trial {best.number}, {search.score} {best.score:.4f}; {len(trials)} trials: {told}"
    comment = "".join(f"# {line}\n" for line in (f"The best of a search: {head}.", *values))
    atomic.write_text(folder / "best.yaml", comment + dump_yaml(settings))
    files = [folder / "best.yaml", *write_report(folder)]
    command = shlex.join(["mtbert", "train", str(files[0]), "--output", "RUN"])
    return "\n".join(
        [f"best: {head}", *(f"  {line}" for line in values), "", *map(str, files), "",
         f"its model: {folder / 'runs' / best.run / 'model'}", f"train it again: {command}"]
    )  # fmt: skip
