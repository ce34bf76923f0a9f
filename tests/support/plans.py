"""Specifications of epochs and their plans as plain values, for the tests of samplers."""

import numpy as np
from hypothesis import strategies as st

from mtbert.config.methods import choose
from mtbert.methods.sampling.base import EpochSpec
from mtbert.methods.sampling.epoch import plan_epoch
from mtbert.methods.sampling.table import SAMPLERS

STRATEGIES = sorted(sampler().name for sampler in SAMPLERS)


def named(strategy):
    """The sampler of this name."""
    return choose(SAMPLERS, strategy)


@st.composite
def any_spec(draw, same_batch=False, epochs=6):
    tasks = [f"t{i}" for i in range(draw(st.integers(1, 4)))]
    one = draw(st.integers(1, 9))
    examples = {task: draw(st.integers(1, 60)) for task in tasks}
    batch = {task: one if same_batch else draw(st.integers(1, 9)) for task in tasks}
    lengths = None
    if draw(st.booleans()):
        lengths = {t: np.arange(n, dtype=np.int64) * 7 % 13 + 2 for t, n in examples.items()}
    max_steps = draw(st.none() | st.integers(1, 12))
    return EpochSpec(
        examples=examples, batch_size=batch, epochs=epochs, lengths=lengths, max_steps=max_steps
    )


def spec_of(batch=4, lengths=None, max_steps=None, epochs=3, **examples):
    return EpochSpec(
        examples=examples, batch_size=dict.fromkeys(examples, batch), epochs=epochs,
        lengths=lengths, max_steps=max_steps,
    )  # fmt: skip


def plan(strategy, spec, epoch=0, seed=1):
    """An epoch as plain values: for each step, task → (indices, factor)."""
    steps = plan_epoch(named(strategy), spec, epoch, seed)
    return [{t: (b.indices.tolist(), round(b.loss_factor, 9)) for t, b in s.items()} for s in steps]


def used(steps, task):
    """Indices of one task in the order in which they are trained on."""
    return [i for step in steps if task in step for i in step[task][0]]
