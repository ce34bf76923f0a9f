"""The summary of a finished run."""

from __future__ import annotations

import math
from typing import Any

from mtbert.data.profile import profile
from mtbert.inference.metrics import mean_score, overall_score
from mtbert.runs.forgetting import forgetting
from mtbert.runs.scores import main_score
from mtbert.runs.state import State
from mtbert.training.setup import Prepared

__all__ = ["summarise"]


def summarise(prepared: Prepared, state: State) -> dict[str, Any]:
    """Scores, costs and what happened on the way, as summary.json holds them."""
    settings = prepared.settings
    main = {
        task: math.nan if (value := main_score(metrics)) is None else value
        for task, metrics in state.best_dev.items()
    }
    accumulate = settings.training.accumulate
    computing = state.step_seconds + state.encoding_seconds
    sets = {
        f"{name}/{set_name}": found
        for name, part in prepared.data.items()
        for set_name, found in (("train", part.train), *part.dev.items())
        if found is not None
    }
    return {
        "dev": state.best_dev,
        "others": state.best_others,
        "overall": overall_score(main),
        "mean": mean_score(main),
        "best_epoch": state.best_epoch,
        "best_step": state.best_step,
        "epochs": settings.training.epochs,
        "steps": state.step,
        "seconds": state.run_seconds,
        "step_seconds": state.step_seconds,
        "step_cpu_seconds": state.step_cpu_seconds,
        "encoding_seconds": state.encoding_seconds,
        "evaluation_seconds": state.evaluation_seconds,
        "tokens": state.tokens,
        "tokens_per_second": state.tokens / computing if computing else math.nan,
        "parameters": prepared.network.partition.counts(),
        "times_encoder": prepared.network.times_encoder,
        "seed": settings.seed,
        "examples": {name: len(found) for name, found in sets.items()},
        "skipped_rows": {name: len(found.left_out.problems) for name, found in sets.items()},
        "unlabelled_rows": {name: found.left_out.unlabelled for name, found in sets.items()},
        "truncated": {name: part.truncated for name, part in prepared.train.items()},
        "leaks": {name: part.leaks for name, part in prepared.data.items()},
        "data": {
            name: profile(settings.tasks[name.partition("/")[0]], found.inputs).model_dump()
            for name, found in sets.items()
            if len(found)
        },
        "left_out": state.left_out,
        "learning_rate_factor": state.rate_factor,
        "exploded": state.exploded,
        "learned_nothing": state.best_one_answer,
        **({"forgetting": forgetting(state.stages)} if state.stages else {}),
        "dominant_gradient": state.told_dominant or None,
        "accumulate": state.parts if accumulate == "auto" else accumulate,
        "out_of_memory": state.out_of_memory,
        "evaluation_tokens": state.token_budget,
        **prepared.environment,
    }
