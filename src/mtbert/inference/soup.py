"""Soups of runs: which runs can be mixed, and which of them a greedy soup takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtbert.config.heads import HEAD_SETTINGS, differing_settings
from mtbert.config.selection import parse_select
from mtbert.config.settings import Settings
from mtbert.data.cache import open_cache
from mtbert.data.tasks import read_set
from mtbert.errors import UserError
from mtbert.hardware.device import compute_dtype
from mtbert.inference.evaluate import Evaluation, EvaluationSet, evaluate
from mtbert.inference.evaluation_file import dev_sets
from mtbert.inference.model import MultitaskModel
from mtbert.inference.saved_run import load_run
from mtbert.model.sharing.base import OwnPart
from mtbert.model.soup import soup
from mtbert.runs.provenance import encoder_files

__all__ = ["Ingredient", "Taste", "greedy", "load_ingredients", "mix"]

_TASK = (*HEAD_SETTINGS, "long_texts", "max_windows", "dev")
"""Settings of a task by which its head, what it reads or what scores it is another one."""
_ENCODER = ("sharing", "reinitialise", "max_length")


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A finished run that may go into a soup."""

    path: Path
    settings: Settings
    model: MultitaskModel


def load_ingredients(paths: Sequence[Path]) -> list[Ingredient]:
    """Finished runs whose weights can be averaged.

    Raises:
        UserError: one is no finished run, or does not go with the first; says why.
    """
    found = [Ingredient(path, *load_run(path)) for path in paths]
    for other in found[1:]:
        _check_alike(found[0], other)
    return found


def mix(ingredients: Sequence[Ingredient]) -> MultitaskModel:
    """The model whose weights are the mean of the runs', computing as the first one's does."""
    first = ingredients[0]
    network = soup([each.model.network for each in ingredients])
    mixed = MultitaskModel(network, first.model.tokenizer, first.model.max_length)
    mixed.compute_in(compute_dtype(first.settings.training.precision, network.device))
    return mixed


class Taste:
    """Scores models on the dev sets of a run, by what picks its best epoch."""

    def __init__(self, run: Ingredient) -> None:
        """Read the dev sets.

        Raises:
            UserError: they cannot be read.
        """
        settings, tokenizer = run.settings, run.model.tokenizer
        cache = open_cache(settings.data.cache)
        self._select, self._sets = settings.training.select, list[EvaluationSet]()
        chosen = parse_select(self._select)
        self._lower_is_better = chosen is not None and chosen.lower_is_better
        for part in dev_sets(settings):
            read = read_set(settings, part.task, part.file, tokenizer, cache=cache)
            self._sets.append(
                EvaluationSet(part.task, part.set_name, read.ids, read.inputs, part.selects)
            )

    def evaluate(self, model: MultitaskModel) -> Evaluation:
        """All scores."""
        return evaluate(model.network, self._sets)

    def score(self, found: Evaluation) -> float:
        """What picks the best epoch, in its own unit; NaN where it is undefined."""
        return found.selection_score(self._select)

    def rank(self, found: Evaluation) -> float:
        """The same as a number of which more is better; an undefined one is below all others."""
        value = self.score(found)
        if math.isnan(value):
            return -math.inf
        return -value if self._lower_is_better else value


def greedy(
    scores: Sequence[float], score_of: Callable[[Sequence[int]], float]
) -> tuple[list[int], float]:
    """The greedy soup (Wortsman et al. 2022, Recipe 1): which runs, and its score.

    From the best run downwards, each is added whose soup with those before scores no less.

    Args:
        scores: of each run alone, more is better.
        score_of: the score of a soup of some runs, by their numbers.
    """
    best_first = sorted(range(len(scores)), key=lambda number: -scores[number])
    chosen, best = best_first[:1], scores[best_first[0]]
    for number in best_first[1:]:
        value = score_of([*chosen, number])
        if value >= best:
            chosen, best = [*chosen, number], value
    return chosen, best


def _check_alike(first: Ingredient, other: Ingredient) -> None:
    """Refuse weights whose mean means nothing.

    Raises:
        UserError: says what differs, and what can be done.
    """
    ours, theirs = first.settings, other.settings
    differing = [
        f"encoder.{key}"
        for key in _ENCODER
        if getattr(ours.encoder, key) != getattr(theirs.encoder, key)
    ]
    if unequal := sorted(ours.trained_tasks.keys() ^ theirs.trained_tasks.keys()):
        differing.append(f"tasks ({', '.join(unequal)})")
    else:
        differing += [
            f"tasks.{name}.{key}"
            for name, task in ours.trained_tasks.items()
            for key in differing_settings(task, theirs.tasks[name], _TASK)
        ]
    holds_out = any(task.held_out is not None for task in ours.trained_tasks.values())
    if holds_out and ours.data.split_seed != theirs.data.split_seed:
        differing.append("data.split_seed, so that one was trained on dev rows of the other")
    if encoder_files(first.path) != encoder_files(other.path):
        differing.append("the encoder that they started from")
    together = f"`mtbert predict {first.path} … --with {other.path}` answers by both"
    if differing:
        raise UserError(
            f"{other.path}: cannot go into a soup with {first.path}; they differ in "
            f"{', '.join(differing)}. Weights have a mean where runs start from the same ones; "
            f"{together}"
        )
    if ours.seed != theirs.seed and (drawn := _drawn(first)) is not None:
        raise UserError(
            f"{other.path}: cannot go into a soup with {first.path}: {drawn} drawn by the seed, "
            f"which is {theirs.seed} here and {ours.seed} there, so that units that do the same "
            f"stand in other places. Train with one seed and other settings; or {together}"
        )


def _drawn(run: Ingredient) -> str | None:
    """What begins with random weights whose units could stand in any order, if anything does.

    A linear head does too, but has no units between what it reads and what it says.
    """
    if run.settings.encoder.reinitialise is not None:
        return "`encoder.reinitialise`: layers are"
    if any(isinstance(part, OwnPart) for part in run.model.network.trunk.modules()):
        return "`encoder.sharing`: the tasks' own parts are"
    hidden = [n for n, task in run.settings.trained_tasks.items() if task.hidden_size is not None]
    return f"`tasks.{hidden[0]}.hidden_size`: the hidden layer is" if hidden else None
