from hypothesis import given
from support.plans import any_spec, plan, spec_of, used


def test_method_1_has_the_papers_numbers():
    """1,000 / 32 -> 32 batches; 1,000 / 32 -> 32, 100 / 32 -> 4, 50 / 32 -> 2 examples each."""
    steps = plan("method1", spec_of(batch=32, big=1000, middle=100, small=50))
    assert len(steps) == 32
    assert {t: len(i) for t, (i, _) in steps[0].items()} == {"big": 32, "middle": 4, "small": 2}
    assert steps[0]["big"][1] == round((4 + 2) / 32, 9)
    assert steps[0]["middle"][1] == (32 + 2) / 4
    assert steps[0]["small"][1] == (32 + 4) / 2
    assert [sum(task in s for s in steps) for task in ("big", "middle", "small")] == [32, 25, 25]
    assert set(steps[-1]) == {"big"}
    assert steps[-1]["big"][1] == steps[0]["big"][1]


def test_method_1_leaves_a_task_alone_unweighted():
    steps = plan("method1", spec_of(batch=4, a=10))
    assert [len(step["a"][0]) for step in steps] == [4, 4, 2]
    assert {step["a"][1] for step in steps} == {1.0}


@given(any_spec())
def test_method_1_uses_each_example_of_each_task_at_most_once_and_all_without_a_cap(spec):
    steps = plan("method1", spec)
    for task, count in spec.examples.items():
        indices = used(steps, task)
        assert len(indices) == len(set(indices))
        if spec.max_steps is None:
            assert len(indices) == count
