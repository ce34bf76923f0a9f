import copy

import pytest
import torch
from torch import Generator

from mtbert.batch import TokenBatch
from mtbert.config.tasks import TaskSettings
from mtbert.model.network import MultitaskNetwork
from mtbert.model.soup import soup
from mtbert.objectives.target_scale import TargetScale

TASKS = {
    "tone": TaskSettings(kind="classification", labels=("a", "b"), train="t.csv"),
    "year": TaskSettings(kind="regression", train="t.csv", target="popart"),
}


@pytest.fixture
def networks(tiny_encoder):
    found = []
    for seed in range(3):
        network = MultitaskNetwork(copy.deepcopy(tiny_encoder), TASKS).double()
        generator = Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 4)
        found.append(network.eval())
    return found


def batch():
    ids = torch.randint(1, 50, (9,), generator=Generator().manual_seed(0))
    return TokenBatch(ids, torch.zeros_like(ids), (4, 5))


def test_every_weight_is_the_mean_of_the_networks(networks):
    before = [copy.deepcopy(network.state_dict()) for network in networks]
    mixed = soup(networks)
    for name, value in mixed.state_dict().items():
        expected = torch.stack([state[name] for state in before]).mean(0)
        torch.testing.assert_close(value, expected, rtol=1e-14, atol=1e-14)
    for network, state in zip(networks, before, strict=True):
        for name, value in network.state_dict().items():
            assert torch.equal(value, state[name])
    assert torch.equal(soup(networks[:1])("tone", batch()), networks[0]("tone", batch()))


def test_heads_on_other_scales_have_the_mean_of_their_answers(networks):
    """With one encoder for all the answers of linear heads average as their weights do."""
    scales = [TargetScale(1950.0, 30.0), TargetScale(1940.0, 25.0), TargetScale(3.0, 0.5)]
    for network, scale in zip(networks, scales, strict=True):
        network.trunk.load_state_dict(networks[0].trunk.state_dict())
        network.heads["year"].scale = scale
    expected = sum(n.heads["year"].scale.restore(n("year", batch())) for n in networks) / 3
    mixed = soup(networks)
    assert mixed.heads["year"].scale == scales[0]
    torch.testing.assert_close(scales[0].restore(mixed("year", batch())), expected)
