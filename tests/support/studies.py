"""Studies whose runs are made up: files of finished runs with known answers, and no training."""

import json
import random
import subprocess
from pathlib import Path

import numpy as np

from mtbert.config.load import load_config
from mtbert.io import atomic

ROWS = {"sst": (24, 60), "para": (40, 80), "sts": (12, 50)}  # train and dev; STS is the smallest
FILES = {"sst": "ids-sst", "para": "quora", "sts": "sts"}
LABELS = {"sst": "sentiment", "para": "is_duplicate", "sts": "similarity"}


def write_course(folder: Path) -> Path:
    """Files as the course's, a few rows each."""
    source = random.Random(3)
    folder.mkdir(parents=True, exist_ok=True)
    for task, sizes in ROWS.items():
        texts = ["sentence"] if task == "sst" else ["sentence1", "sentence2"]
        for split, rows in zip(("train", "dev"), sizes, strict=True):
            lines = [",".join(["id", *texts, LABELS[task]])]
            for i in range(rows):
                words = [f"w{source.randrange(1000)} {split}{i}" for _ in texts]
                label = {"sst": i % 5, "para": i % 2, "sts": (i % 6) * 1.0}[task]
                lines.append(",".join([f"{task}{i}", *words, str(label)]))
            (folder / f"{FILES[task]}-{split}.csv").write_text("\n".join(lines) + "\n")
    return folder


def overrides(course: Path, *more: str) -> list[str]:
    """What points the shipped grids to `write_course`, with STS of three batches."""
    return [f"data.dir={course}", "training.batch_size=4", "training.epochs=2", *more]


def quality(settings) -> float:
    """How good a made-up run is: frozen encoders and other batching do less well."""
    good = 0.5 if settings.encoder.mode == "frozen" else 0.8
    good -= 0.1 * (settings.training.batching.name == "method2")
    good += 0.04 * (settings.training.surgery.name == "pcgrad")
    return good - 0.02 * len(settings.tasks) + 0.005 * (settings.seed % 3)


def answers(task: str, good: float):
    """Labels and predictions of the dev rows; rows and luck are the same for all runs."""
    classes = {"sst": 5, "para": 2, "sts": 6}.get(task, 2)
    gold = np.arange(ROWS.get(task, (0, 40))[1]) % classes
    chance = np.random.default_rng(len(gold))
    if task == "sts":
        return gold * 1.0, np.round(gold * good + chance.normal(size=len(gold)), 4)
    wrong = chance.random(len(gold)) > good
    return gold, np.where(wrong, (gold + 1) % (5 if task == "sst" else 2), gold)


def main_score(task: str, gold, predicted) -> float:
    """Accuracy or Pearson's correlation, by numpy."""
    if task == "sts":
        return float(np.corrcoef(gold, predicted)[0, 1])
    return float(np.mean(gold == predicted))


def write_finished(path: Path, config: str = "planned.yaml", **changes) -> dict:
    """The files of a finished run with the settings of a configuration in its folder."""
    settings = load_config(str(path / config))
    (path / "config.yaml").write_bytes((path / config).read_bytes())
    good, dev = quality(settings), {}
    for task in settings.tasks:
        gold, predicted = answers(task, good)
        name = "pearson" if task == "sts" else "accuracy"
        dev[task] = {name: main_score(task, gold, predicted), "other": 0.5}
        rows = []
        for i, (g, p) in enumerate(zip(gold.tolist(), predicted.tolist(), strict=True)):
            row = {"id": f"{task}{i}", "gold": g, "prediction": p}
            if task == "para":
                row["probabilities"] = {"different": 0.9 - 0.8 * p, "duplicate": 0.1 + 0.8 * p}
            rows.append(row)
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        atomic.write_text(path / "predictions" / f"{task}-dev.jsonl", lines)
    (path / "metrics.jsonl").write_text(
        "".join(json.dumps(x) + "\n" for x in _metrics(settings, dev))
    )
    (path / "model").mkdir(exist_ok=True)
    (path / "checkpoints").mkdir(exist_ok=True)
    summary = {
        "dev": dev, "overall": 0.5, "mean": 0.5, "best_epoch": 2, "epochs": 2, "steps": 6,
        "seconds": 9.0 + len(dev), "step_seconds": 2.0 * (4 + len(dev)), "encoding_seconds": 0.0,
        "evaluation_seconds": 1.0, "tokens": 900, "tokens_per_second": 100.0,
        "seed": settings.seed, "examples": {f"{t}/train": ROWS.get(t, (20, 40))[0] for t in dev},
        "device": "cpu", "precision": "fp32", "threads": 1, "processor": "Toy",
        "versions": {"mtbert": "0", "torch": "2"}, **changes,
    }  # fmt: skip
    atomic.write_json(path / "summary.json", summary)
    return summary


def _metrics(settings, dev):
    tasks = list(dev)
    pairs = [f"{a}/{b}" for i, a in enumerate(tasks) for b in tasks[i + 1 :]]
    for step in range(1, 7):
        line = {"kind": "train", "step": step}
        if pairs:
            line["gradient_cosine"] = dict.fromkeys(pairs, 0.1 * (step - 3))
            if step > 1:  # older runs do not have it
                line["task_gradient_norm"] = dict.fromkeys(tasks, 2.0 + step)
            if settings.training.surgery.name == "pcgrad":
                line["surgery_weights"] = dict.fromkeys(tasks, 1.0 if step % 2 else 0.9)
        yield line
        if step % 3 == 0:
            yield {"kind": "dev", "epoch": step / 3, "step": step, "dev": dev}


def made_up(path: Path, environment) -> subprocess.Popen[bytes]:
    """In the place of `launch_train`: the run is finished at once."""
    write_finished(path)
    return subprocess.Popen(["true"])
