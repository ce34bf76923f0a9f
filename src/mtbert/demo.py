"""`make demo`: three tasks, one encoder, on the data that come with mtbert.

Trains (a) heads on the frozen encoder and (b) one multitask model with gradient surgery, both
with the same pair encoding and heads; prints their dev scores side by side; answers a few
sentences; writes an HTML report.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from mtbert.cli import exit_code, log_to_stderr
from mtbert.commands.report import write_report
from mtbert.config.load import load_config
from mtbert.inference.model import MultitaskModel
from mtbert.runs.scores import main_metric
from mtbert.training.run import train

__all__ = ["main"]

FROZEN = (
    "encoder.mode=frozen",
    "training.surgery=none",
    "training.epochs=40",
    "training.learning_rate=1e-3",
    "training.schedule=constant",
    "training.warmup=0",
)
_NAMES = {"frozen": "(a) frozen encoder, three heads", "multitask": "(b) one model, PCGrad"}
_TEXTS = [
    "The soup was cold and nobody apologised.",
    "What a wonderful afternoon, we will certainly come back!",
]
_QUESTIONS = [
    ("How can I fall asleep faster?", "What helps you to drop off more quickly at night?"),
    ("How do I grow tomatoes indoors?", "How do I stop tomatoes from splitting?"),
]
_SENTENCES = [
    ("A girl is feeding the ducks by the pond.", "A child gives bread to some ducks."),
    ("A girl is feeding the ducks by the pond.", "Shares fell sharply in early trading."),
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="mtbert.demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("runs/demo"))
    output: Path = parser.parse_args(arguments).output
    log_to_stderr()
    return exit_code(lambda: run(output))


def run(output: Path) -> None:
    """Train both, print the table and the answers, write the report.

    The output of an earlier demo is replaced.
    """
    started = time.perf_counter()
    summaries: dict[str, Mapping[str, Any]] = {}
    for name, overrides in (("frozen", FROZEN), ("multitask", ())):
        print(f"\n== {_NAMES[name]}", file=sys.stderr)
        if (output / name / "config.yaml").is_file():
            shutil.rmtree(output / name)
        summaries[name] = train(load_config("demo", overrides), output / name)
    print(f"\n{_table(summaries)}\n")
    _answer(MultitaskModel.from_pretrained(output / "multitask"))
    report, *_ = write_report(output)
    print(f"\nRun folders below {output}, report {report}.")
    print(f"All of it took {time.perf_counter() - started:.0f} seconds.")


def _table(summaries: Mapping[str, Mapping[str, Any]]) -> str:
    columns = [
        (task, main_metric(metrics)) for task, metrics in summaries["multitask"]["dev"].items()
    ]
    rows = [
        [
            _NAMES[name],
            *(f"{summary['dev'][task][metric]:.3f}" for task, metric in columns),
            f"{summary['mean'] * len(columns):.3f}",
            f"{summary['seconds']:.0f} s",
        ]
        for name, summary in summaries.items()
    ]
    headers = ["dev scores", *(f"{task}\n{metric}" for task, metric in columns), "sum", "time"]
    return tabulate(rows, headers, disable_numparse=True, colalign=("left", *["right"] * 5))


def _answer(model: MultitaskModel) -> None:
    for text, answer in zip(_TEXTS, model.predict("sentiment", _TEXTS), strict=True):
        print(f"{text}\n    {answer.label} ({answer.score:.2f})")
    for pair, answer in zip(_QUESTIONS, model.predict("paraphrase", _QUESTIONS), strict=True):
        print(f"{pair[0]} / {pair[1]}\n    {answer.label} ({answer.score:.2f})")
    for pair, answer in zip(_SENTENCES, model.predict("similarity", _SENTENCES), strict=True):
        print(f"{pair[0]} / {pair[1]}\n    {answer.value:.1f} of 5")


if __name__ == "__main__":
    raise SystemExit(main())
