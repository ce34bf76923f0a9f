"""Tasks, outputs and predictions as the tests of the objectives want them."""

import numpy as np
import torch
from torch import Generator

from mtbert.config.tasks import TaskSettings
from mtbert.objectives.table import decode


def classes(**changes):
    return TaskSettings(kind="classification", labels=("a", "b", "c"), train="t.csv", **changes)


def two(loss):
    return TaskSettings(kind="pair_classification", train="t.csv", loss=loss)


def regression(**changes):
    return TaskSettings(kind="regression", train="t.csv", **changes)


def normal(*shape):
    return torch.randn(shape, generator=Generator().manual_seed(0))


def task_of(**changes):
    base = {"kind": "classification", "train": "t"}
    if "kind" not in changes:
        base["labels"] = ["no", "yes"]
    return TaskSettings.model_validate({**base, **changes})


def decode_one(task, *outputs):
    (answer,) = decode(task, np.array([outputs], np.float64))
    return answer
