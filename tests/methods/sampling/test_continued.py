from hypothesis import given
from hypothesis import strategies as st
from support.plans import any_spec, plan, spec_of, used


@given(spec=any_spec(), epochs=st.integers(1, 6), seed=st.integers(0, 9))
def test_continued_uses_every_example_once_before_any_again(spec, epochs, seed):
    steps = [step for e in range(epochs) for step in plan("continued", spec, e, seed)]
    for task, count in spec.examples.items():
        stream = used(steps, task)
        for start in range(0, len(stream), count):
            part = stream[start : start + count]
            assert len(part) == len(set(part))
            assert len(part) < count or sorted(part) == list(range(count))


def test_continued_reaches_all_of_the_larger_data_set_in_a_new_order_each_round():
    spec = spec_of(small=20, large=100)
    stream = [i for e in range(10) for i in used(plan("continued", spec, e), "large")]
    assert sorted(stream[:100]) == sorted(stream[100:]) == list(range(100))
    assert stream[:100] != stream[100:]


def test_continued_starts_at_any_epoch_as_if_the_earlier_ones_had_been_run():
    """A plan of one long epoch, cut by hand, is the reference."""
    short = spec_of(batch=4, small=12, large=50)
    long = spec_of(batch=4, small=50, large=50)
    whole = [step["large"] for e in range(2) for step in plan("continued", long, e)]
    for epoch in (7, 0, 3):
        found = [step["large"] for step in plan("continued", short, epoch)]
        assert found == whole[3 * epoch : 3 * epoch + 3]
