"""The front matter of a model card: what model hubs list, filter and compare."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mtbert.config.settings import Settings
from mtbert.model.hub import PACKAGED, local_folder
from mtbert.runs.scores import main_metric

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

__all__ = ["base_model", "card_metadata"]

_PACKAGED_SOURCE = "sentence-transformers/all-MiniLM-L6-v2"

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")

_METRICS = {
    "pearson": "pearsonr", "spearman": "spearmanr", "mcc": "matthews_correlation", "auc": "roc_auc",
    "micro_f1": "f1", "macro_f1": "f1", "r2": "r_squared", "qwk": "cohen_kappa",
    "f1_positive": "f1", "precision_positive": "precision", "recall_positive": "recall",
    "subset_accuracy": "exact_match",
}  # fmt: skip
"""Names of the Hub's metrics where they are not ours."""


def base_model(settings: Settings) -> str | None:
    """The Hub id of the encoder that training began with; None for a folder."""
    path = settings.encoder.path
    if path == PACKAGED:
        return _PACKAGED_SOURCE
    known = _HUB_ID.fullmatch(path) and local_folder(path) is None
    return path if known else None


def card_metadata(settings: Settings, summary: Mapping[str, Any], name: str) -> ModelCardData:
    """The metadata of a finished run's model.

    Args:
        settings: of the run.
        summary: its summary.json.
        name: of the model.
    """
    from huggingface_hub import ModelCardData

    card, tasks = settings.card, settings.tasks
    main = [main_metric(metrics) for metrics in summary["dev"].values()]
    return ModelCardData(
        language=card.language,
        license=card.license,
        base_model=base_model(settings),
        datasets=card.datasets,
        library_name="mtbert",
        pipeline_tag=_pipeline(settings),
        metrics=list(dict.fromkeys(_METRICS.get(metric, metric) for metric in main)) or None,
        tags=_tags(settings),
        model_name=name,
        eval_results=[
            result
            for task, metrics in summary["dev"].items()
            if task in tasks
            for result in _results(settings, task, metrics)
        ] or None,
    )  # fmt: skip


def _results(
    settings: Settings, task: str, metrics: Mapping[str, float | None]
) -> list[EvalResult]:
    """An entry of the model index for each metric that is defined."""
    from huggingface_hub import EvalResult

    data = (settings.card.datasets or ["private"])[0]
    return [
        EvalResult(
            task_type=_task_type(settings, task),
            task_name=task,
            dataset_type=data,
            dataset_name=f"{task}, dev",
            dataset_config=task,  # what tells results of one data set apart
            dataset_split="validation",
            metric_type=_METRICS.get(metric, metric),
            metric_name=metric,
            metric_value=round(value, 6),
        )
        for metric, value in metrics.items()
        if value is not None and math.isfinite(value)
    ]


def _task_type(settings: Settings, task: str) -> str:
    kind = settings.tasks[task].kind
    return "sentence-similarity" if kind.is_pair and kind.is_regression else "text-classification"


def _pipeline(settings: Settings) -> str:
    kinds = {_task_type(settings, task) for task in settings.trained_tasks}
    return kinds.pop() if len(kinds) == 1 else "text-classification"


def _tags(settings: Settings) -> list[str]:
    tasks = settings.trained_tasks.values()
    found = {
        "mtbert": True,
        "bert": True,
        "multitask": len(tasks) > 1,
        "multi-label-classification": any(task.kind.is_multilabel for task in tasks),
        "text-regression": any(task.kind.is_regression for task in tasks),
        "sentence-pairs": any(task.kind.is_pair for task in tasks),
    }
    return [tag for tag, holds in found.items() if holds]
