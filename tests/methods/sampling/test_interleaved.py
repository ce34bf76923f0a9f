import itertools

from hypothesis import given
from hypothesis import strategies as st
from support.plans import any_spec, named, plan, spec_of, used

from mtbert.methods.sampling.epoch import plan_epoch


def shape(steps):
    return ["".join(step) for step in steps]


def test_single_steps_lie_evenly_between_the_super_batches():
    spec = spec_of(batch=2, a=6, b=12)  # 3 and 6 batches: 3 together, 3 of b alone
    assert shape(plan("interleaved", spec)) == ["ab", "b", "ab", "b", "ab", "b"]
    spec = spec_of(batch=2, a=2, b=8, c=4)
    assert shape(plan("interleaved", spec)) == ["b", "abc", "b", "c", "b"]


@given(spec=any_spec(), epoch=st.integers(0, 5), seed=st.integers(0, 99))
def test_every_example_is_used_once_an_epoch(spec, epoch, seed):
    steps = plan("interleaved", spec, epoch, seed)
    if spec.max_steps is None:
        for task, count in spec.examples.items():
            assert sorted(used(steps, task)) == list(range(count))
    assert all(len(step) in (1, len(spec.examples)) for step in steps)


@given(spec=any_spec(), position=st.integers(0, 60))
def test_a_plan_goes_on_the_same_from_any_step(spec, position):
    rest = itertools.islice(plan_epoch(named("interleaved"), spec, 1, 3), position, None)
    again = [{t: b.indices.tolist() for t, b in step.items()} for step in rest]
    whole = [{t: i for t, (i, _) in step.items()} for step in plan("interleaved", spec, 1, 3)]
    assert again == whole[position:]


def test_equal_data_sets_have_super_batches_alone():
    assert shape(plan("interleaved", spec_of(batch=4, a=12, b=12))) == ["ab"] * 3


def test_a_task_alone_is_passed_through_once():
    assert sorted(used(plan("interleaved", spec_of(only=30)), "only")) == list(range(30))


def test_of_a_much_larger_task_most_steps_are_its_own():
    steps = plan("interleaved", spec_of(batch=4, small=4, large=400))
    assert shape(steps).count("smalllarge") == 1
    assert shape(steps).index("smalllarge") == 50  # in the middle
    assert len(steps) == 100
