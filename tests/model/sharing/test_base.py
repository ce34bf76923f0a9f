import pytest
from torch import nn, ones

from mtbert.model.sharing.base import Partition, Trunk


def parameters(*names):
    return {name: nn.Parameter(ones(1)) for name in names}


def test_all_parameters_are_the_shared_ones_then_each_tasks_own_then_the_heads():
    shared = parameters("encoder.a", "encoder.b")
    own = {"sst": parameters("sst.x"), "sts": parameters("sts.x", "sts.y")}
    heads = {"sst": parameters("heads.sst"), "para": parameters("heads.para")}
    partition = Partition(shared, own, heads)
    assert list(partition.all_own) == ["sst.x", "sts.x", "sts.y"]
    assert list(partition.all_heads) == ["heads.sst", "heads.para"]
    assert list(partition.all) == [*shared, *partition.all_own, *partition.all_heads]
    assert partition.all["sts.y"] is own["sts"]["sts.y"]
    assert list(partition.of("sst")) == ["sst.x", "heads.sst"]
    assert list(partition.of("para")) == ["heads.para"]


def test_a_scheme_must_say_how_it_encodes_pools_shares_and_exports():
    assert Trunk.__abstractmethods__ == {"encode", "pool", "partition", "encoder_for"}
    with pytest.raises(TypeError, match="abstract"):
        Trunk()
