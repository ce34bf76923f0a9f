from dataclasses import replace

import pytest
import torch
from torch import Generator

from mtbert.batch import TokenBatch
from mtbert.config.tasks import TaskSettings
from mtbert.model.attention import Layout
from mtbert.model.network import MultitaskNetwork

TASKS = {
    "sst": TaskSettings(
        kind="classification", labels=("bad", "so", "good"), train="/home/me/s.csv", head="cls"
    ),
    "para": TaskSettings(kind="pair_classification", train="p.csv", head="pooled"),
    "sts": TaskSettings(
        kind="pair_regression",
        train="C:\\Users\\me\\t.csv",
        dev={"dev": "/home/me/dev.csv"},
        test="/home/me/test.csv",
        range=(0, 5),
        pair_encoding="separately",
        features="uv_absdiff_product",
        head="mean",
    ),
    "sick": TaskSettings(
        kind="pair_regression", uses="sts", dev="d.csv", pair_encoding="separately", range=(1, 5)
    ),
}
LENGTHS = (5, 3, 7, 2, 4, 6)


@pytest.fixture
def network(tiny_encoder):
    network = MultitaskNetwork(tiny_encoder, TASKS)
    for head in network.heads.values():
        head.initialise(Generator().manual_seed(1), std=0.5)
    return network.eval()


def batch(lengths=LENGTHS):
    generator = Generator().manual_seed(0)
    ids = torch.randint(1, 50, (sum(lengths),), generator=generator)
    return TokenBatch(ids, torch.zeros_like(ids), lengths)


def hidden_states(network, inputs):
    layout = Layout(inputs.lengths, inputs.token_ids.device)
    hidden = network.encoder.encode(inputs.token_ids, inputs.segment_ids, layout)
    return hidden[layout.slots].split(list(inputs.lengths))


def test_each_task_reads_the_sequences_as_its_head_says(network):
    parts = hidden_states(network, batch())
    first = torch.stack([part[0] for part in parts])
    linear = network.heads["sst"].linear
    torch.testing.assert_close(network("sst", batch()), first @ linear.weight.T + linear.bias)
    linear = network.heads["para"].linear
    pooled = network.encoder.pool(first)
    torch.testing.assert_close(network("para", batch()), pooled @ linear.weight.T + linear.bias)


def test_a_pair_encoded_separately_joins_sequence_i_with_sequence_n_plus_i(network):
    means = [part.mean(0) for part in hidden_states(network, batch())]
    u, v = torch.stack(means[:3]), torch.stack(means[3:])
    features = torch.cat((u, v, abs(u - v), u * v), dim=1)
    linear = network.heads["sts"].linear
    torch.testing.assert_close(network("sts", batch()), features @ linear.weight.T + linear.bias)


def test_a_task_that_only_evaluates_answers_with_the_other_tasks_head(network):
    assert set(network.heads) == {"sst", "para", "sts"}
    assert network.head("sick") is network.head("sts")
    assert torch.equal(network("sick", batch()), network("sts", batch()))


@pytest.mark.parametrize("name", TASKS)
def test_features_computed_before_give_the_same_outputs(network, name):
    features = network.represent(name, batch())
    torch.testing.assert_close(network(name, features), network(name, batch()))


def test_dropout_follows_the_generator_and_not_the_mode(network):
    plain = network("sst", batch())
    assert torch.equal(network.train()("sst", batch()), plain)
    first, again = (network.eval()("sst", batch(), Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, plain)


def test_every_parameter_is_shared_or_one_tasks_own(network):
    partition = network.partition
    owners = [partition.shared, *partition.own.values(), *partition.heads.values()]
    assert sum(map(len, owners)) == len(partition.all) == len(list(network.parameters()))
    assert {id(p) for p in partition.all.values()} == {id(p) for p in network.parameters()}
    assert {n.split(".")[0] for n in partition.shared} == {"encoder"}
    assert partition.own == {}
    assert set(partition.heads) == set(network.heads)
    for task, own in partition.heads.items():
        assert list(own) == [f"heads.{task}.linear.weight", f"heads.{task}.linear.bias"]


def test_names_and_order_of_the_parameters_are_those_of_checkpoints(network):
    encoder = [f"encoder.{name}" for name, _ in network.encoder.named_parameters()]
    heads = [f"heads.{name}" for name, _ in network.heads.named_parameters()]
    assert list(network.partition.all) == encoder + heads


def test_without_the_trunk_the_heads_alone_learn(network):
    everything = network.learning(shared=True, own=True)
    heads = network.learning(shared=False, own=False)
    assert list(everything.all) == list(network.partition.all)
    assert heads.shared == {}
    assert heads.own == {}
    assert heads.heads == network.partition.heads
    assert {id(p) for p in heads.all.values()} == {id(p) for p in network.heads.parameters()}


def test_a_tasks_loss_reaches_what_is_shared_and_its_own(network):
    for task in network.heads:
        own = network.partition.of(task)
        network.zero_grad()
        network(task, batch()).sum().backward()
        reached = {n for n, p in network.partition.all.items() if p.grad is not None}
        assert set(own) <= reached
        assert reached - set(own) <= set(network.partition.shared)


def test_a_task_that_only_evaluates_goes_through_the_other_tasks_part_of_the_trunk(network):
    asked, encode = [], network.trunk.encode

    def asking(task, *rest, **how):
        asked.append(task)
        return encode(task, *rest, **how)

    network.trunk.encode = asking
    network("sick", batch())
    network("sst", batch())
    assert asked == ["sts", "sst"]


@pytest.mark.parametrize("name", ["type", "values", "train", "keys", "float", "T_destination"])
def test_a_task_may_have_any_name_that_the_settings_allow(tiny_encoder, name):
    network = MultitaskNetwork(tiny_encoder, {name: TASKS["sst"]})
    assert network(name, batch()).shape == (6, 3)


@pytest.mark.parametrize("name", ["sst", "sts"])
def test_a_text_in_windows_is_read_as_the_mean_of_its_windows(network, name):
    plain = batch()
    sides = network.head(name).sides
    windows = (2, 1) * sides if sides == 2 else (3, 1, 2)
    vectors = network.represent(name, plain)
    flat = vectors.transpose(0, 1).reshape(6, -1)  # in the order of the sequences
    expected, start = [], 0
    for count in windows:
        tokens = torch.tensor(plain.lengths[start : start + count], dtype=flat.dtype)
        expected.append(tokens @ flat[start : start + count] / tokens.sum())
        start += count
    found = network.represent(name, replace(plain, windows=windows))
    assert found.shape == (len(windows) // sides, sides, 16)
    torch.testing.assert_close(
        found.transpose(0, 1).reshape(len(windows), -1), torch.stack(expected)
    )
