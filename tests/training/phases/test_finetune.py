import pytest

from mtbert.distributed.processes import ALONE
from mtbert.training.phases.finetune import finetune_phase
from mtbert.training.setup import prepare


@pytest.mark.parametrize(
    ("training", "rates"),
    [
        ({"learning_rate": None}, (1e-5, 1e-5)),
        ({"learning_rate": 2e-5}, (2e-5, 2e-5)),
        ({"learning_rate": 2e-5, "head_learning_rate": 1e-3}, (2e-5, 1e-3)),
    ],
)
def test_everything_learns_at_the_rates_that_are_set(toy, training, rates):
    prepared = prepare(toy.settings(training={**training, "epochs": 3}), ALONE)
    phase = finetune_phase(prepared)
    assert (phase.learning_rate, phase.head_learning_rate) == rates
    assert (phase.trains_encoder, phase.epochs, phase.spec.epochs) == (True, 3, 3)


def test_the_examples_are_the_tokens_and_each_has_its_id(toy):
    prepared = prepare(toy.settings(), ALONE)
    data = finetune_phase(prepared).prepare()
    assert data.sources is prepared.train
    assert {task: len(ids) for task, ids in data.ids.items()} == {"sst": 16, "para": 12, "sts": 20}
    assert (data.encoded_tokens, data.encoding_seconds) == (0, 0.0)
    scores = data.evaluate(prepared.network)
    assert set(scores.dev) == {"sst", "para", "sts"}
