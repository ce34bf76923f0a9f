"""The model card of a finished run: what it does, how well, how it was made, where it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from mtbert.config.settings import Settings
from mtbert.export.card_metadata import base_model, card_metadata
from mtbert.model.hub import PACKAGED
from mtbert.runs.scores import shown_score

if TYPE_CHECKING:
    from mtbert.inference.details import Score, SetDetails

__all__ = ["model_card"]

_MOST_CLASSES = 20
"""Classes of a task whose scores are listed."""

_QUORA = (
    "The encoder started as all-MiniLM-L6-v2, whose own training used Quora question pairs: "
    "paraphrase scores on Quora data are not those of an encoder that never saw them."
)

_SCORES = (
    "Scores of the best epoch ({best}), which was chosen on the same dev rows by `{select}`, so "
    "they are slightly optimistic. The 95 % intervals are percentiles of a bootstrap over the dev "
    "rows; they do not cover other seeds."
)


def model_card(
    settings: Settings,
    summary: Mapping[str, Any],
    details: Mapping[str, SetDetails] | None = None,
) -> str:
    """Markdown with the front matter that model hubs read.

    Args:
        settings: of the run.
        summary: its summary.json.
        details: of its dev sets, by their names in scores; for intervals and scores by class.
    """
    from huggingface_hub import ModelCard  # takes a second to import

    name = " + ".join(settings.trained_tasks)
    metadata = card_metadata(settings, summary, name)
    parts = [
        f"# {name}: one BERT encoder with {len(settings.trained_tasks)} head(s)",
        _introduction(settings, summary),
        "## Use", *_use(settings),
        "## Scores on dev", *_scores(settings, summary, details or {}),
        "## Labels", _labels(settings),
        "## Training", *_training(settings, summary),
        "## Limits", _limits(settings),
    ]  # fmt: skip
    return str(ModelCard(f"---\n{metadata.to_yaml()}\n---\n\n" + "\n\n".join(parts) + "\n"))


def _introduction(settings: Settings, summary: Mapping[str, Any]) -> str:
    base, path = base_model(settings), settings.encoder.public_path
    start = path if base is None or path != PACKAGED else base
    return (
        f"Trained with mtbert {summary['versions']['mtbert']} from `{start}` "
        f"({settings.encoder.mode})."
    )


def _use(settings: Settings) -> list[str]:
    examples = {True: '[("A man sings.", "A man is singing.")]', False: '["Well done."]'}
    code = [
        "```python",
        "from mtbert import MultitaskModel",
        "",
        'model = MultitaskModel.from_pretrained("path/to/this/folder")',
        *(
            f'model.predict("{name}", {examples[task.kind.is_pair]})'
            for name, task in settings.trained_tasks.items()
        ),
        "```",
    ]
    return [
        "\n".join(code),
        "The folder is also a plain encoder for `transformers.AutoModel`; the heads lie beside it "
        "in `heads.safetensors`.",
    ]


def _scores(
    settings: Settings, summary: Mapping[str, Any], details: Mapping[str, SetDetails]
) -> list[str]:
    rows = []
    for part in ("dev", "others"):
        for name, metrics in summary.get(part, {}).items():
            kind = settings.tasks[name.partition("/")[0]].kind
            known = details[name].metrics if name in details else {}
            rows += [
                [name, kind, metric, shown_score(value), _range(known.get(metric))]
                for metric, value in metrics.items()
            ]
    note = _SCORES.format(best=summary["best_epoch"], select=settings.training.select)
    parts = [note, _table(["task", "kind", "metric", "value", "95 % interval"], rows)]
    if settings.encoder.path == PACKAGED and any(t.kind.is_pair for t in settings.tasks.values()):
        parts.append(_QUORA)
    for name, found in details.items():
        if 0 < len(found.classes) <= _MOST_CLASSES:
            headers = ["class", "dev rows", "precision", "recall", "F1", "95 % interval of F1"]
            by_class = [
                [c.name, f"{c.rows:,}", _value(c.precision), _value(c.recall), _value(c.f1),
                 _range(c.f1)]
                for c in found.classes
            ]  # fmt: skip
            parts += [f"### {name} by class", _table(headers, by_class)]
    return parts


def _value(score: Score) -> str:
    return "-" if score.value is None else f"{score.value:.3f}"


def _range(score: Score | None) -> str:
    if score is None or score.low is None or score.high is None or score.low == score.high:
        return ""
    return f"{score.low:.3f} to {score.high:.3f}"


def _labels(settings: Settings) -> str:
    lines = []
    for name, task in settings.tasks.items():
        if task.class_names:
            names = (" ".join(label.split()) for label in task.class_names)
            listed = ", ".join(f"{i} = {label}" for i, label in enumerate(names))
            lines.append(f"- `{name}`: {listed}")
        elif task.range is not None:
            low, high = task.range
            lines.append(f"- `{name}`: a number from {low:g} to {high:g}")
        else:
            lines.append(f"- `{name}`: a number")
    return "\n".join(lines)


def _training(settings: Settings, summary: Mapping[str, Any]) -> list[str]:
    training, examples = settings.training, summary.get("examples", {})
    rows = [
        [name, examples.get(f"{name}/train", ""),
         ", ".join(f"{examples[key]:,}" for key in examples if _is_dev(key, name)),
         task.loss_name, f"{task.loss_weight:g}"]
        for name, task in settings.trained_tasks.items()
    ]  # fmt: skip
    facts = {
        "epochs": summary["epochs"],
        "batch size": training.batch_size,
        "learning rate, encoder": _given(training.learning_rate),
        "learning rate, heads": _given(training.head_learning_rate),
        "schedule": f"{_given(training.schedule)}, warm-up {_given(training.warmup)}",
        "weight decay": _given(training.weight_decay),
        "clipping": "none" if training.clip is None else _given(training.clip),
        "batching": training.batching,
        "surgery": training.surgery_in_words,
        "weighting": training.weighting,
        "precision": summary.get("precision", training.precision),
        "seed": settings.seed,
        "longest sequence": f"{settings.encoder.max_length} tokens",
    }
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    headers = ["task", "train rows", "dev rows", "loss", "loss weight"]
    return [
        _table(headers, rows),
        _table(["setting", "value"], [[key, str(value)] for key, value in facts.items()]),
        f"Versions: {versions}.",
    ]


def _is_dev(key: str, task: str) -> bool:
    name, _, part = key.partition("/")
    return name == task and part != "train"


def _given(value: float | str | None) -> str:
    if value is None:
        return "by default"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _limits(settings: Settings) -> str:
    languages = settings.card.language
    of = f" in {', '.join(languages)}," if languages else ""
    return (
        f"Made for texts{of} of the kind and language it was trained on; of longer ones than "
        f"{settings.encoder.max_length} tokens the rest is cut, or as `long_texts` says. Nothing "
        "is known of its behaviour elsewhere, nor of how it treats groups of people: try it on "
        "your own texts before relying on it."
    )


def _table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; bars and line breaks in cells stay in their cell."""
    cells = [[_cell(str(cell)) for cell in row] for row in rows]
    return tabulate(cells, headers, "github", disable_numparse=True)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
