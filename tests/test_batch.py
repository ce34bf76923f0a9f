import pytest
import torch

from mtbert.batch import TokenBatch, move

CPU = torch.device("cpu")


@pytest.fixture
def batch():
    ids = torch.tensor([2, 7, 3, 2, 9, 8, 3])
    return TokenBatch(ids, torch.tensor([0, 0, 0, 0, 0, 1, 1]), (3, 4))


def test_a_batch_that_is_there_already_is_not_copied(batch):
    assert batch.to(CPU) is batch


def test_a_moved_batch_has_the_same_ids_segments_and_lengths(batch):
    there = batch.to(torch.device("meta"))  # a device that every machine has
    assert there.token_ids.device.type == there.segment_ids.device.type == "meta"
    assert there.token_ids.shape == there.segment_ids.shape == (7,)
    assert there.lengths == (3, 4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_batch_on_a_gpu_holds_what_it_held(batch):
    there = batch.to(torch.device("cuda"))
    assert torch.equal(there.token_ids.cpu(), batch.token_ids)
    assert torch.equal(there.segment_ids.cpu(), batch.segment_ids)


def test_a_tensor_is_moved_only_where_it_is_not():
    tensor = torch.ones(3)
    assert move(tensor, CPU) is tensor
    assert move(tensor, torch.device("meta")).device.type == "meta"


def test_a_batch_cannot_be_changed(batch):
    with pytest.raises(AttributeError):
        batch.lengths = (7,)
