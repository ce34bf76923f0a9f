"""The model card of a finished run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tabulate import tabulate

from mtbert.config.settings import Settings
from mtbert.runs.scores import shown_score

__all__ = ["model_card"]


def model_card(settings: Settings, summary: Mapping[str, Any]) -> str:
    """Markdown with the front matter that model hubs read."""
    rows = [
        [task, settings.tasks[task].kind, name, shown_score(value)]
        for task, metrics in summary["dev"].items()
        for name, value in metrics.items()
    ]
    labels = [
        f"- `{name}`: {', '.join(f'{i} = {label}' for i, label in enumerate(task.class_names))}"
        for name, task in settings.tasks.items()
        if task.class_names
    ]
    name, task = next(iter(settings.trained_tasks.items()))
    example = '[("A man sings.", "A man is singing.")]' if task.kind.is_pair else '["Well done."]'
    training = settings.training
    leak = ""
    if settings.encoder.path == "packaged":
        leak = (
            "\nThe encoder started as all-MiniLM-L6-v2, whose own training used Quora question "
            "pairs: paraphrase scores on Quora data are not those of an encoder that never saw "
            "them.\n"
        )
    return f"""---
library_name: mtbert
pipeline_tag: text-classification
tags: [mtbert, multitask, bert]
---

# {" + ".join(settings.trained_tasks)}: one BERT encoder with {len(settings.trained_tasks)} head(s)

Trained with mtbert {summary["versions"]["mtbert"]} from `{settings.encoder.public_path}`
({settings.encoder.mode}), {summary["epochs"]} epochs, batch {training.batch_size},
batching {training.batching}, surgery {training.surgery}, seed {settings.seed}. The best epoch
({summary["best_epoch"]}) was chosen on the dev data by `{training.select}`, so the scores below
are slightly optimistic.

## Scores on dev

{tabulate(rows, ["task", "kind", "metric", "value"], "github", disable_numparse=True)}
{leak}
## Use

```python
from mtbert import MultitaskModel

model = MultitaskModel.from_pretrained("path/to/this/folder")
model.predict("{name}", {example})
```

The folder is also a plain encoder for `transformers.AutoModel`; the heads lie beside it in
`heads.safetensors`.

## Labels

{chr(10).join(labels) or "No task has classes."}

## Limits

English text of the kind it was trained on; longer than {settings.encoder.max_length} tokens is
cut. Nothing is known of its behaviour elsewhere.
"""
