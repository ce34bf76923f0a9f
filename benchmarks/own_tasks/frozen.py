"""Logistic and ridge regression on frozen sentence vectors: what any fine-tuning has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mtbert.config.load import parse_settings
from mtbert.data.batches import TokenizedSet
from mtbert.distributed.processes import ALONE
from mtbert.hardware.memory import Memory
from mtbert.inference.metrics import score
from mtbert.inference.predict import compute_features
from mtbert.training.setup import Prepared, prepare

__all__ = ["frozen_scores"]

_PENALTIES = np.logspace(-3, 2, 6)
_FOLDS = 4


def frozen_scores(tree: Mapping[str, Any]) -> dict[str, float]:
    """The main metric of each task on its test set, by a linear model on the mean of the tokens.

    Pairs are encoded separately and described by u, v, |u - v|, u * v and their cosine. The
    penalty is chosen by cross-validation on the train file.

    Args:
        tree: a configuration whose tasks have a dev set named `test`.
    """
    tasks = {
        name: {**task, "head": "mean"}
        | ({"pair_encoding": "separately"} if task["kind"].startswith("pair") else {})
        for name, task in tree["tasks"].items()
    }
    prepared = prepare(parse_settings({**tree, "tasks": tasks}, "own tasks"), ALONE)
    prepared.network.eval()
    found = {}
    for name, task in prepared.settings.tasks.items():
        train, test = prepared.train[name], prepared.data[name].dev["test"].inputs
        answers = _answers(
            _vectors(prepared, name, train),
            train.labels,
            _vectors(prepared, name, test),
            classes=task.kind.is_classification,
        )
        found[name] = score(task, test.labels, answers)[task.kind.main_metric]
    return found


def _vectors(prepared: Prepared, name: str, examples: TokenizedSet) -> NDArray[np.float64]:
    """`[examples, features]`."""
    features = compute_features(prepared.network, name, examples, Memory(), ALONE)
    vectors = np.asarray(features.features, dtype=np.float64)
    u = vectors[:, 0]
    if vectors.shape[1] == 1:
        return u
    v = vectors[:, 1]
    lengths = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
    cosine = ((u * v).sum(axis=1) / lengths)[:, None]
    return np.concatenate((u, v, np.abs(u - v), u * v, cosine), axis=1)


def _answers(
    inputs: NDArray[np.float64],
    labels: NDArray[np.float64],
    asked: NDArray[np.float64],
    *,
    classes: bool,
) -> NDArray[np.float64]:
    if classes:
        folds = min(_FOLDS, int(np.unique(labels, return_counts=True)[1].min()))
        model = LogisticRegressionCV(
            Cs=_PENALTIES, cv=max(2, folds), max_iter=300, scoring="neg_log_loss"
        )
    else:
        model = RidgeCV(alphas=1 / _PENALTIES * 10, cv=_FOLDS)
    fitted = make_pipeline(StandardScaler(), model).fit(inputs, labels)
    return np.asarray(fitted.predict(asked), dtype=np.float64)
