import inspect

import pytest

from mtbert.distributed.process_group import ProcessGroup
from mtbert.distributed.processes import ALONE, OneProcess, Processes
from mtbert.errors import UserError


def test_one_process_alone_meets_nobody():
    assert ALONE.is_main
    assert ALONE.on_main(lambda: "value") == "value"
    assert ALONE.main_first(lambda: "value") == "value"
    assert ALONE.all_gather([1]) == [[1]]
    assert ALONE.shard([1, 2, 3]) == [1, 2, 3]
    error = UserError("wrong")
    assert ALONE.raised_by_all(error) is error
    with pytest.raises(UserError, match="wrong"), ALONE.all_or_none():
        raise error


@pytest.mark.parametrize("implementation", [OneProcess, ProcessGroup])
def test_implementations_are_final_and_override_nothing_that_is_written(implementation):
    assert implementation.__final__
    assert not inspect.isabstract(implementation)
    written = {n for n, x in vars(Processes).items() if callable(x) or isinstance(x, property)}
    written -= Processes.__abstractmethods__ | {"__init__"}
    assert {"shard", "shards", "is_main"} <= written
    assert not written & vars(implementation).keys()


@pytest.mark.parametrize("size", [1, 2, 5])
def test_shards_hold_every_item_once_and_differ_by_one_at_most(size):
    class Some(Processes):
        pass

    Some.__abstractmethods__ = frozenset()
    items = list(range(11))
    shards = [Some(rank, size, 0).shard(items) for rank in range(size)]
    assert Some(0, size, 0).shards(items) == shards
    assert sorted(item for shard in shards for item in shard) == items
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
