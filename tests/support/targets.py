"""Tasks of the newer kinds on the toy's words: several labels, classes in order, long texts."""

import json
import random

from support.toy import NOUNS

LABELS = NOUNS[:3]
TASKS = {
    "tags": {
        "kind": "multilabel_classification", "labels": LABELS, "columns": {"label": "tags"},
        "long_texts": "windows", "max_windows": 3, "class_weights": "balanced", "head": "mean",
    },
    "flags": {
        "kind": "multilabel_classification", "columns": {"labels": LABELS},
        "long_texts": "head_tail", "head": "mean",
    },
    "count": {
        "kind": "classification", "loss": "ordinal", "labels": ["none", "one", "two", "three"],
        "columns": {"label": "count"}, "long_texts": "windows", "head": "mean",
    },
    "both": {
        "kind": "pair_multilabel_classification", "labels": LABELS,
        "columns": {"text": "sentence", "text2": "other", "label": "tags"},
        "pair_encoding": "separately", "long_texts": "windows", "class_weights": [1.0, 2.0, 0.5],
    },
    "closer": {
        "kind": "pair_classification", "loss": "ordinal", "pair_encoding": "both_orders",
        "columns": {"text": "sentence", "text2": "other", "label": "same"},
        "long_texts": "head_tail", "class_weights": "balanced", "head": "pooled",
    },
}  # fmt: skip


def write_table(file, rows, *, seed):
    """Texts of 2 to 40 words; which of three nouns they hold decides every task's label."""
    source = random.Random(seed)
    lines = []
    for number in range(rows):
        held = [noun for noun in LABELS if source.random() < 0.5]
        words = 2 * held + source.choices(["the", "a", "sun", "moon"], k=2 + number % 35)
        source.shuffle(words)
        row = {
            "id": f"r{number}",
            "sentence": " ".join(words),
            "other": f"a {source.choice(NOUNS)}",
        }
        row |= {"tags": held, "count": ["none", "one", "two", "three"][len(held)]}
        row |= {noun: noun in held for noun in LABELS} | {"same": int("film" in held)}
        lines.append(json.dumps(row) + "\n")
    file.write_text("".join(lines), encoding="utf-8")
    return file


def tree_of(toy, folder, *names, **changes):
    """A configuration of these tasks, or of all, on tables that are written into the folder."""
    for part, rows, seed in (("train", 24, 1), ("dev", 12, 2)):
        if not (file := folder / f"{part}.jsonl").is_file():
            write_table(file, rows, seed=seed)
    tree = toy.tree(**changes)
    files = {"train": str(folder / "train.jsonl"), "dev": str(folder / "dev.jsonl")}
    tree["tasks"] = {name: {**TASKS[name], **files} for name in names or TASKS}
    return tree
