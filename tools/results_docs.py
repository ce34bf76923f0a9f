"""Write docs/results.md and the README's table from results/course/*.json.

    python tools/results_docs.py add RUN …    copy the summaries of finished runs
    python tools/results_docs.py              write the page and the table
    python tools/results_docs.py --check      exit with 1 if they are not up to date

A run folder is named GROUP-sSEED; runs of a group differ in their seed alone. The command of each
group is in results/course/commands.json.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from tabulate import tabulate

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results" / "course"
PAGE = ROOT / "docs" / "results.md"
README = ROOT / "README.md"
TASKS = {"sst": "SST accuracy", "cfimdb": "CFIMDB accuracy", "para": "paraphrase accuracy",
         "sts": "STS Pearson"}  # fmt: skip
STANDARD_ERRORS = {"sst": 0.015, "para": 0.006, "sts": 0.008}
"""One standard error on dev, from the numbers of rows."""

INTRODUCTION = """# Results on the course's data

Dev scores at the best epoch, chosen on the same dev data (so slightly optimistic). Encoder: the
packaged all-MiniLM-L6-v2 (6 layers, hidden 384), not the paper's BERT-base. Quora: the course's
subset of 27,506 training pairs, not its 141,506. **all-MiniLM-L6-v2 saw Quora question pairs in
its own training**, perhaps these dev pairs too: read every paraphrase score with that in mind.
16 of the 863 STS dev pairs and 2 of the 1,101 SST dev sentences are in the training data too (as
the course distributes them).

One standard error of a dev score, from its number of rows: 1.5 points on SST, 0.6 on paraphrase,
0.8 on STS.
"""


def add(runs: list[Path]) -> None:
    """Copy the summaries of runs into results/course."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    for run in runs:
        summary = json.loads((run / "summary.json").read_text("utf-8"))
        text = json.dumps(summary, indent=1, sort_keys=True) + "\n"
        (RESULTS / f"{run.name}.json").write_text(text, encoding="utf-8")


def groups() -> dict[str, list[dict[str, Any]]]:
    """Summaries by group, seeds in order, groups in the order of commands.json."""
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(RESULTS.glob("*-s*.json")):
        group = re.sub(r"-s\d+$", "", path.stem)
        found[group].append(json.loads(path.read_text("utf-8")))
    return {group: found[group] for group in commands() if group in found}


def commands() -> dict[str, dict[str, Any]]:
    """Title and command of each group, and whether the README shows it."""
    result: dict[str, dict[str, Any]] = json.loads((RESULTS / "commands.json").read_text("utf-8"))
    return result


def main_score(summary: dict[str, Any], task: str) -> float | None:
    """The main metric of a task, if it ran."""
    metrics = summary["dev"].get(task)
    return None if metrics is None else float(next(iter(metrics.values())))


def spread(values: list[float], digits: int = 3) -> str:
    """Mean and standard deviation over seeds, or the one value."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.mean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}"


def short_table(*, headlines: bool) -> str:
    """One line a group: those for the README, or all."""
    rows = []
    for group, summaries in groups().items():
        if headlines and not commands()[group].get("headline", False):
            continue
        cells = []
        for task in TASKS:
            values = [s for summary in summaries if (s := main_score(summary, task)) is not None]
            cells.append(spread(values) if values else "")
        rows.append([commands()[group]["title"], *cells, len(summaries)])
    return tabulate(rows, ["", *TASKS.values(), "seeds"], "github", disable_numparse=True)


def long_table() -> str:
    """One line a run."""
    rows = []
    for group, summaries in groups().items():
        for s in summaries:
            scores = [
                f"{task} {metric} {value:.4f}"
                for task, metrics in s["dev"].items()
                for metric, value in metrics.items()
            ]
            speed = f"{s['tokens_per_second']:,.0f}"
            overall = f"{s['overall']:.4f}" if len(s["dev"]) == 3 else ""
            rows.append(
                [group, s["seed"], "<br>".join(scores), overall, s["best_epoch"],
                 f"{s['seconds']:,.0f}", speed, f"{s['precision']}, {_threads(s['threads'])}"]
            )  # fmt: skip
    headers = ["run", "seed", "dev", "overall", "best epoch", "seconds", "tokens/s", "precision"]
    return tabulate(rows, headers, "github", disable_numparse=True)


def _threads(number: int) -> str:
    return f"{number} thread" + ("s" if number > 1 else "")


def comparison() -> str:
    """The multitask model compared with the single-task runs, in standard errors."""
    singles = {"sst": "sst", "para": "para", "sts": "sts"}
    found = groups()
    if "multitask" not in found or not all(g in found for g in singles.values()):
        return ""
    rows = []
    for task, group in singles.items():
        one = statistics.mean(main_score(s, task) or 0.0 for s in found["multitask"])
        alone = statistics.mean(main_score(s, task) or 0.0 for s in found[group])
        errors = (one - alone) / STANDARD_ERRORS[task]
        rows.append(
            [TASKS[task], f"{alone:.4f}", f"{one:.4f}", f"{one - alone:+.4f}", f"{errors:+.1f}"]
        )
    together = [
        overall([found[group] for group in singles.values()]),
        overall([found["multitask"]]),
    ]
    gain = together[1] - together[0]
    rows.append(["overall", *(f"{value:.4f}" for value in together), f"{gain:+.4f}", ""])
    counts = [len(found[group]) for group in ("sts", "multitask")]
    seeds = [f"{n} seed" + ("s" if n > 1 else "") for n in counts]
    headers = ["", f"three single-task models, {seeds[0]}", f"one multitask model, {seeds[1]}",
               "difference", "in standard errors"]  # fmt: skip
    return tabulate(rows, headers, "github", disable_numparse=True)


def overall(parts: list[list[dict[str, Any]]]) -> float:
    """The leaderboard's score of the mean over seeds, each task from the group that has it."""
    scores = {
        task: statistics.mean(s for run in part if (s := main_score(run, task)) is not None)
        for part in parts
        for task in STANDARD_ERRORS
        if main_score(part[0], task) is not None
    }
    return (scores["sst"] + scores["para"] + (scores["sts"] + 1) / 2) / 3


def page() -> str:
    """docs/results.md."""
    notes = (RESULTS / "notes.md").read_text("utf-8") if (RESULTS / "notes.md").exists() else ""
    listed = "\n".join(
        f"- **{info['title']}**: `{info['command']}`"
        for group, info in commands().items()
        if group in groups()
    )
    return f"""{INTRODUCTION}
{short_table(headlines=False)}

## One model beside three

{comparison()}

## Every run

Each run had one thread on a machine with two cores, with two or three runs at a time and other work
beside them: `seconds` and `tokens/s` are what that left, not what the machine can do; speed is
measured in [performance.md](performance.md). The CPUs are recorded in the JSON files: an Intel Xeon
with AMX, one without it for most runs in fp32 (by an earlier and slower version of the same
mathematics), and two AMD EPYC, one of them without bf16. `tokens/s` counts real tokens over the
training steps (frozen: over the one encoding and the steps). `overall` is the leaderboard's.

{long_table()}

## Commands

`SEED` is 1, 2, 3; `MTBERT_DATA` names the folder of the course's files.

{listed}

{notes}
This page and the README's table are generated from the JSON files in `results/course/`
(`python tools/results_docs.py`).
"""


def readme() -> str:
    """The README with its table renewed."""
    text = README.read_text("utf-8")
    start, end = "<!-- results table -->", "<!-- end of results table -->"
    before, rest = text.split(start)
    return f"{before}{start}\n{short_table(headlines=True)}\n{end}{rest.split(end)[1]}"


def main() -> int:
    """Add, write or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("runs", nargs="*", type=str, help="add RUN …")
    options = parser.parse_args()
    if options.runs and options.runs[0] == "add":
        add([Path(run) for run in options.runs[1:]])
    written = {PAGE: page(), README: readme()}
    if options.check:
        return int(any(path.read_text("utf-8") != text for path, text in written.items()))
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
