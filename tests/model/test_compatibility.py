import pytest

from mtbert.config.load import parse_settings
from mtbert.config.tasks import TaskSettings
from mtbert.errors import UserError
from mtbert.model.compatibility import check_compatible, fit_length
from mtbert.model.encoders.config import EncoderConfig

CONFIG = EncoderConfig(vocab_size=50, max_position_embeddings=32, type_vocab_size=1)
TASKS = {
    "one": TaskSettings(kind="regression", train="t"),
    "apart": TaskSettings(kind="pair_regression", train="t", pair_encoding="separately"),
}
JOINT = {"pair": TaskSettings(kind="pair_regression", train="t")}


def check(config=CONFIG, tasks=TASKS, *, max_length=32, vocabulary_size=50):
    check_compatible(
        config, tasks, max_length=max_length, vocabulary_size=vocabulary_size, source="here"
    )


def test_an_encoder_may_be_just_large_enough():
    check()
    check(EncoderConfig(vocab_size=50, max_position_embeddings=32, type_vocab_size=2), JOINT)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"max_length": 33}, r"encoder\.max_length: found 33, but here has 32 positions"),
        ({"vocabulary_size": 51}, "here: the tokenizer has 51 tokens, but the encoder 50"),
        ({"tasks": TASKS | JOINT}, r"tasks\.pair\.pair_encoding: here has one segment only"),
    ],
)
def test_what_the_encoder_does_not_have_is_refused(changes, told):
    with pytest.raises(UserError, match=told):
        check(**changes)


def test_both_orders_need_two_segments_too():
    both = TaskSettings(kind="pair_regression", train="t", pair_encoding="both_orders")
    with pytest.raises(UserError, match="one segment only"):
        check(tasks={"both": both})


@pytest.mark.parametrize(
    ("encoder", "positions", "expected"),
    [
        ({}, 128, 128),
        ({}, 512, 512),
        ({}, 2048, 512),
        ({"max_length": 512}, 128, 512),  # asked for, so refused later
        ({"max_length": 64}, 128, 64),
    ],
)
def test_only_a_length_that_nobody_set_is_fitted(encoder, positions, expected):
    tree = {"encoder": encoder, "tasks": {"t": {"kind": "regression", "train": "t", "dev": "d"}}}
    fitted = fit_length(parse_settings(tree, "t"), EncoderConfig(max_position_embeddings=positions))
    assert fitted.encoder.max_length == expected
