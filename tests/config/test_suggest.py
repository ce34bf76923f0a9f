"""Settings by other names."""

import pytest

from mtbert.config.settings import Settings
from mtbert.config.suggest import _ELSEWHERE, _keys, setting_meant


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("epochs", "training.epochs"),
        ("lr", "training.learning_rate"),
        ("batch-size", "training.batch_size"),
        ("Epoch", "training.epochs"),
        ("path", "encoder.path"),
        ("labels", "tasks.NAME.labels"),
        ("text2", "tasks.NAME.columns.text2"),
        ("seed", "seed"),
        ("xyzzy", None),
    ],
)
def test_the_full_key_is_found(name, key):
    assert setting_meant(name) == key


def test_every_suggestion_is_a_key():
    known = {*_keys(), *Settings.model_fields}
    assert set(_ELSEWHERE.values()) <= known
