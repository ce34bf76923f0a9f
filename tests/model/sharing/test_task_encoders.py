import torch
from torch import Generator, nn

from mtbert.batch import TokenBatch
from mtbert.model.sharing.task_encoders import LinkedEncoders, linked


class Trunk(LinkedEncoders):
    """With what each scheme says for itself."""

    def encoder_for(self, task):
        return self.encoder if task is None else self.by_task[task]


def with_own_pooler(encoder):
    pooler = nn.Linear(16, 16)
    return linked(encoder, pooler=pooler)


def test_a_linked_module_has_the_very_parts_of_the_other_but_those_that_are_given(tiny_encoder):
    pooler = tiny_encoder.pooler
    twin = with_own_pooler(tiny_encoder)
    assert twin.layers is tiny_encoder.layers
    assert twin.pooler is not pooler
    assert tiny_encoder.pooler is pooler


def test_what_is_in_common_is_shared_and_the_rest_is_the_tasks_own(tiny_encoder):
    trunk = Trunk(tiny_encoder, ["train", "b"], with_own_pooler)
    partition = trunk.partition()
    expected = {f"encoder.{n}": p for n, p in tiny_encoder.named_parameters() if "pooler" not in n}
    assert partition.shared.keys() == expected.keys()
    assert all(partition.shared[n] is p for n, p in expected.items())
    assert list(partition.own) == ["train", "b"]
    own = trunk.encoder_for("b").pooler
    assert {n: id(p) for n, p in partition.own["b"].items()} == {
        "own.b.pooler.weight": id(own.weight),
        "own.b.pooler.bias": id(own.bias),
    }
    assert trunk.encoder_for(None) is tiny_encoder
    assert set(trunk.encoders) == {tiny_encoder, *trunk.by_task.values()}


def test_moving_and_changing_the_numbers_keeps_what_is_shared_shared(tiny_encoder):
    trunk = Trunk(tiny_encoder, ["a", "b"], with_own_pooler).double()
    shared = trunk.partition().shared
    assert {p.dtype for p in trunk.partition().all.values()} == {torch.float64}
    weight = trunk.encoder_for("a").layers[0].attention.qkv.weight
    assert weight is shared["encoder.layers.0.attention.qkv.weight"]
    assert weight is trunk.encoder_for("b").layers[0].attention.qkv.weight


def test_each_task_is_encoded_and_pooled_by_its_own_encoder(tiny_encoder):
    trunk = Trunk(tiny_encoder, ["a", "b"], with_own_pooler)
    ids = torch.randint(1, 50, (7,), generator=Generator().manual_seed(0))
    batch = TokenBatch(ids, torch.zeros_like(ids), (3, 4))
    for task in ("a", "b"):
        encoded = trunk.encode(task, batch, Generator().manual_seed(1), first_only=True)
        encoder = trunk.encoder_for(task)
        expected = encoder.encode(
            ids, batch.segment_ids, encoder.layout(batch), Generator().manual_seed(1),
            first_only=True,
        )  # fmt: skip
        assert torch.equal(encoded.states, expected)
        pooled = torch.tanh(encoder.pooler(expected))
        assert torch.equal(trunk.pool(task, encoded.states), pooled)
