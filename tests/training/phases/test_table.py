from typing import get_args

import pytest

from mtbert.config.encoder import EncoderSettings
from mtbert.distributed.processes import ALONE
from mtbert.training.phases.table import PHASES, phases_of
from mtbert.training.setup import prepare


def test_every_mode_of_the_encoder_has_its_phases():
    assert set(PHASES) == set(get_args(EncoderSettings.model_fields["mode"].annotation))


@pytest.mark.parametrize(
    ("mode", "names"),
    [("finetune", ["all"]), ("frozen", ["heads"]), ("heads_first", ["heads", "all"])],
)
def test_phases_come_in_order(toy, mode, names):
    prepared = prepare(toy.settings(encoder={"mode": mode}), ALONE)
    assert [phase.name for phase in phases_of(prepared)] == names
