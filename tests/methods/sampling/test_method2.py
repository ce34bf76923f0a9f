from dataclasses import replace

from hypothesis import given
from support.plans import any_spec, plan, spec_of, used


@given(any_spec(same_batch=True))
def test_method_2_uses_the_largest_data_set_once_and_cycles_the_others(spec):
    spec = replace(spec, max_steps=None)
    steps = plan("method2", spec)
    largest = max(spec.examples, key=lambda task: spec.examples[task])
    assert sorted(used(steps, largest)) == list(range(spec.examples[largest]))
    for task, count in spec.examples.items():
        per_round = -(-count // spec.batch_size[task])
        for start in range(0, len(steps), per_round):
            indices = used(steps[start : start + per_round], task)
            assert len(indices) == len(set(indices))
            if start + per_round <= len(steps):
                assert sorted(indices) == list(range(count))


def test_method_2_shuffles_a_cycled_data_set_anew_each_round():
    steps = plan("method2", spec_of(batch=8, large=320, small=60))
    rounds = [tuple(used(steps[start : start + 8], "small")) for start in range(0, 40, 8)]
    assert [len(r) for r in rounds] == [60] * 5
    assert len(set(rounds)) == 5
    found = [len(step["small"][0]) for step in steps]
    assert found == ([8] * 7 + [4]) * 5  # the short batch ends the round
