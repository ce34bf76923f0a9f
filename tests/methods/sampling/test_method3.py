from dataclasses import replace

from hypothesis import given
from support.plans import any_spec, plan, spec_of, used


@given(any_spec(same_batch=True))
def test_method_3_stops_with_the_smallest_and_repeats_nothing(spec):
    spec = replace(spec, max_steps=None)
    steps = plan("method3", spec)
    smallest = min(spec.examples, key=lambda task: spec.examples[task])
    assert sorted(used(steps, smallest)) == list(range(spec.examples[smallest]))
    for task in spec.examples:
        assert len(used(steps, task)) == len(set(used(steps, task)))


def test_method_3_draws_other_examples_of_the_larger_set_each_epoch():
    epochs = [set(used(plan("method3", spec_of(small=20, large=200), e), "large")) for e in (0, 1)]
    assert epochs[0] != epochs[1]
