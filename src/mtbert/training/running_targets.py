"""Heads whose target's scale follows the labels of the steps (PopArt)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from mtbert.data.batches import ExampleSource
from mtbert.methods.sampling.base import SuperBatch
from mtbert.model.heads import Head
from mtbert.model.network import MultitaskNetwork
from mtbert.objectives.popart import RunningScale, rescale
from mtbert.objectives.target_scale import RAW, TargetScale
from mtbert.runs.state import State
from mtbert.training.learner import Learner

__all__ = ["RunningTargets", "load_best_scales"]


class RunningTargets:
    """The scales of these heads, which are part of `State`.

    They follow from the labels of the plan alone: every process has the same ones, and a step that
    is computed again finds them as they were.
    """

    def __init__(self, network: MultitaskNetwork, learner: Learner, state: State) -> None:
        """Go on from the scales of the state, or begin with those of the heads.

        Args:
            network: its heads get the scales.
            learner: what learns; its average is rescaled too.
            state: `target_scales` changes in it.
        """
        self._network, self._learner, self._state = network, learner, state
        for task in network.running_targets:
            head = network.heads[task]
            start = (head.scale.mean, head.scale.deviation**2, 0)
            running = RunningScale(*state.target_scales.setdefault(task, start))
            head.scale = running.scale

    def observe(self, step: SuperBatch, sources: Mapping[str, ExampleSource]) -> None:
        """Take in the labels of a step before it is computed: change scales, and keep answers.

        A head that has learned nothing yet has no answers to keep. It begins on the scale of its
        first labels, and so with answers about their mean.
        """
        for task in self._network.running_targets:
            if task not in step:
                continue
            head, before = self._network.heads[task], self._state.target_scales[task]
            running = RunningScale(*before).after(sources[task].labels[step[task].indices])
            if before[2] == 0 and head.scale == RAW:
                self._begin(task, head, running.scale)
            else:
                self._rescale(task, head, running.scale)
            self._state.target_scales[task] = (running.mean, running.variance, running.updates)

    def _begin(self, task: str, head: Head, scale: TargetScale) -> None:
        head.set_scale(scale)
        if (averaged := self._averaged(task)) is not None:
            for average, own in zip(averaged, _last_layer(head), strict=True):
                average.copy_(own.detach())

    def _rescale(self, task: str, head: Head, scale: TargetScale) -> None:
        for layer in (_last_layer(head), self._averaged(task)):
            if layer is not None:
                weight, bias = layer
                rescale(weight, bias, head.scale, scale)
        head.scale = scale

    def _averaged(self, task: str) -> tuple[Tensor, Tensor] | None:
        """The average of weight and bias of a head's last layer, if there is one."""
        if self._learner.average is None:
            return None
        average = self._learner.average.weights
        return average[f"heads.{task}.linear.weight"], average[f"heads.{task}.linear.bias"]


def _last_layer(head: Head) -> tuple[Tensor, Tensor]:
    return head.linear.weight, head.linear.bias


def load_best_scales(network: MultitaskNetwork, state: State) -> None:
    """Give the heads the scales that belong to the best weights."""
    for task, values in state.best_target_scales.items():
        network.heads[task].scale = RunningScale(*values).scale
