import pytest
from pydantic import ValidationError

from mtbert.config.encoder import EncoderSettings
from mtbert.config.sharing import DEFAULT_SHARING, SHARINGS, Hard, LoRA


def test_all_tasks_share_the_encoder_by_default():
    assert EncoderSettings().sharing == DEFAULT_SHARING == Hard()
    assert EncoderSettings(sharing="hard") == EncoderSettings()
    assert EncoderSettings().model_dump(exclude_defaults=True) == {}
    assert EncoderSettings().model_dump()["sharing"] == "hard"


def test_another_scheme_is_refused_with_those_that_are_known():
    with pytest.raises(ValidationError, match=r"'hard'.*, found 'hart'; did you mean 'hard'"):
        EncoderSettings(sharing="hart")
    with pytest.raises(ValidationError, match="hard has no options"):
        EncoderSettings(sharing={"name": "hard", "layers": 2})


def test_names_of_schemes_differ():
    names = [kind().name for kind in SHARINGS]
    assert len(set(names)) == len(names)


def test_maps_that_are_changed_are_named_once_each():
    with pytest.raises(ValidationError, match="names a map twice: query, query"):
        LoRA(maps=("query", "query"))
    for options in ({"maps": ()}, {"maps": ("pooler",)}, {"rank": 0}, {"alpha": 0}):
        with pytest.raises(ValidationError):
            LoRA(**options)
