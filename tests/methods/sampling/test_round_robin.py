from collections import Counter

from support.plans import plan, spec_of


def test_tasks_take_turns_and_small_ones_are_cycled():
    spec = spec_of(batch=4, sst=10, para=3, sts=7)  # 3 + 1 + 2 batches
    steps = plan("round_robin", spec)
    assert [list(step) for step in steps] == 2 * [["sst"], ["para"], ["sts"]]
    assert [len(i) for step in steps for i, _ in step.values()] == [4, 3, 4, 4, 3, 3]


def test_all_tasks_are_seen_equally_often():
    spec = spec_of(batch=16, sst=8544, para=27507, sts=6040)  # 534 + 1720 + 378 batches
    found = Counter(task for step in plan("round_robin", spec) for task in step)
    assert found == {"sst": 878, "para": 877, "sts": 877}
