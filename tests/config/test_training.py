import pytest
from pydantic import ValidationError

from mtbert.config.training import TrainingSettings
from mtbert.methods.aggregation.table import AGGREGATORS
from mtbert.methods.sampling.table import SAMPLERS
from mtbert.methods.weighting.table import WEIGHTINGS


@pytest.mark.parametrize(
    ("key", "members"),
    [("batching", SAMPLERS), ("weighting", WEIGHTINGS), ("surgery", AGGREGATORS)],
)
def test_every_method_of_a_family_can_be_named(key, members):
    for member in members:
        name = member().name
        settings = TrainingSettings.model_validate({key: name})
        assert getattr(settings, key) == member()
        assert settings.model_dump()[key] == name


def test_a_run_of_today_is_its_bare_names_and_no_default():
    settings = TrainingSettings.model_validate(
        {"batching": "method2", "surgery": "pcgrad", "weighting": "fixed", "epochs": "auto"}
    )
    expected = {"surgery": "pcgrad"}
    assert settings.model_dump(mode="json", exclude_defaults=True) == expected


def test_a_memory_limit_may_have_a_unit_and_is_above_zero():
    assert TrainingSettings(memory_limit="8GB").memory_limit == 8_000_000_000
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        TrainingSettings(memory_limit=0)
