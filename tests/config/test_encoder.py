import pytest
from pydantic import ValidationError

from mtbert.config.encoder import DEFAULT_SHARING, SHARINGS, EncoderSettings, Hard


def test_all_tasks_share_the_encoder_by_default():
    assert EncoderSettings().sharing == DEFAULT_SHARING == Hard()
    assert EncoderSettings(sharing="hard") == EncoderSettings()
    assert EncoderSettings().model_dump(exclude_defaults=True) == {}
    assert EncoderSettings().model_dump()["sharing"] == "hard"


def test_another_scheme_is_refused_with_those_that_are_known():
    with pytest.raises(ValidationError, match="input should be 'hard', found 'hart'; did you mean"):
        EncoderSettings(sharing="hart")
    with pytest.raises(ValidationError, match="hard has no options"):
        EncoderSettings(sharing={"name": "hard", "layers": 2})


def test_names_of_schemes_differ():
    names = [kind().name for kind in SHARINGS]
    assert len(set(names)) == len(names)
