from collections import Counter

import numpy as np
from support.plans import named, plan, spec_of, used

from mtbert.methods.sampling.epoch import epoch_length


def test_a_task_is_ordered_the_same_whoever_trains_beside_it():
    alone, beside = spec_of(a=40), spec_of(b=44, a=40)
    assert used(plan("method3", alone), "a") == used(plan("method3", beside), "a")


def test_grouping_by_length_keeps_the_examples_and_lessens_the_differences():
    lengths = {"a": np.random.default_rng(0).integers(2, 100, 1003)}
    plain, grouped = spec_of(batch=8, a=1003), spec_of(batch=8, a=1003, lengths=lengths)

    def spread(steps):
        return sum(np.ptp(lengths["a"][step["a"][0]]) for step in steps)

    before, after = plan("method2", plain), plan("method2", grouped)
    assert Counter(used(before, "a")) == Counter(used(after, "a"))
    assert len(before) == len(after) == epoch_length(named("method2"), grouped)
    assert spread(after) < spread(before) / 10
    means = [np.mean(lengths["a"][step["a"][0]]) for step in after]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.3  # not from short to long
