"""What `auto` becomes: rates by the encoder, epochs by the data, the form of pairs by number."""

import pytest

from mtbert.config.automatic import (
    FEW_PAIRS,
    encoder_rate,
    epochs_of,
    resolved,
    with_epochs,
    with_pair_forms,
)
from mtbert.config.settings import Settings

CLASSES = {"kind": "classification", "train": "a", "dev": "b", "labels": ["x", "y"]}
PAIRS = {"kind": "pair_regression", "train": "c", "dev": "d"}


def settings(tasks=None, **sections):
    return Settings.model_validate({"tasks": tasks or {"one": CLASSES}, **sections})


@pytest.mark.parametrize(
    ("width", "rate"), [(128, 2e-4), (384, 2e-4), (512, 3e-5), (768, 3e-5), (1024, 1e-5)]
)
def test_the_wider_the_encoder_the_lower_its_rate(width, rate):
    assert encoder_rate(width) == rate


@pytest.mark.parametrize(
    ("rows", "epochs"),
    [(16, 40), (98, 23), (1_000, 8), (3_000, 4), (8_500, 3), (27_000, 1), (400_000, 1)],
)
def test_little_data_are_passed_often_and_much_data_once(rows, epochs):
    steps = -(-rows // 16)
    assert epochs_of(steps) == epochs
    found = with_epochs(settings(), {"one": rows}).training
    assert found.epochs == epochs
    assert epochs_of(steps, frozen=True) >= epochs


def test_the_larger_of_two_data_sets_decides_and_every_example_is_used():
    both = settings({"one": CLASSES, "two": PAIRS})
    found = with_epochs(both, {"one": 98, "two": 3_000})
    assert found.training.epochs == epochs_of(188)
    assert both.training.batching.steps(found.epoch_spec({"one": 98, "two": 3_000})) == 188


def test_a_cap_on_the_steps_gives_more_epochs():
    capped = settings(training={"steps_per_epoch": 10})
    assert with_epochs(capped, {"one": 3_000}).training.epochs == epochs_of(10)


def test_numbers_that_were_given_stay():
    given = {
        "epochs": 7,
        "learning_rate": 5e-5,
        "head_learning_rate": 2e-3,
        "checkpoint_every": None,
    }
    found = resolved(settings(training=given), {"one": 98}, 384).training
    assert {key: getattr(found, key) for key in given} == given
    paper = {"epochs": 7, "learning_rate": None, "head_learning_rate": None}
    found = resolved(settings(training=paper), {"one": 98}, 384).training
    assert found.learning_rate is None
    assert found.head_learning_rate is None


@pytest.mark.parametrize("mode", ["finetune", "frozen", "heads_first"])
def test_nothing_is_auto_afterwards_and_to_resolve_again_changes_nothing(mode):
    examples = {"one": 98, "two": 3_000}
    found = settings({"one": CLASSES, "two": PAIRS}, encoder={"mode": mode})
    found = with_pair_forms(found, lambda name: min(examples[name], FEW_PAIRS))
    found = resolved(found, examples, 384)
    tree = found.model_dump()
    assert "auto" not in [v for k, v in tree["training"].items() if k != "precision"]
    assert "auto" not in [v for task in tree["tasks"].values() for v in task.values()]
    assert tree["encoder"]["heads_first_epochs"] != "auto"
    again = resolved(with_pair_forms(found, lambda _: 1), {"one": 5, "two": 5}, 1024)
    assert again == found


def test_heads_on_stored_features_have_a_higher_rate_and_more_epochs():
    rates, epochs = [], []
    for mode in ("finetune", "frozen"):
        found = resolved(settings(encoder={"mode": mode}), {"one": 1_000}, 384).training
        rates.append(found.head_learning_rate)
        epochs.append(found.epochs)
    assert rates[0] < rates[1]
    assert epochs[0] < epochs[1]
    first = resolved(settings(encoder={"mode": "heads_first"}), {"one": 1_000}, 384)
    assert first.encoder.heads_first_epochs == epochs[1]
    assert first.training.epochs == epochs[0]


def test_checkpoints_are_a_hundred_steps_apart_or_an_epoch():
    assert resolved(settings(), {"one": 98}, 384).training.checkpoint_every == 100
    assert resolved(settings(), {"one": 9_800}, 384).training.checkpoint_every is None


@pytest.mark.parametrize(
    ("fields", "count", "expected"),
    [
        ({}, 104, ("separately", "uv_absdiff_product")),
        ({}, FEW_PAIRS - 1, ("separately", "uv_absdiff_product")),
        ({}, FEW_PAIRS, ("jointly", "uv")),
        ({"features": "uv"}, FEW_PAIRS, ("separately", "uv")),
        ({"features": "cosine"}, FEW_PAIRS, ("separately", "cosine")),
        ({"long_texts": "windows"}, FEW_PAIRS, ("separately", "uv_absdiff_product")),
        ({"pair_encoding": "jointly"}, 104, ("jointly", "uv")),
        ({"pair_encoding": "both_orders"}, 104, ("both_orders", "uv")),
        ({"pair_encoding": "separately"}, FEW_PAIRS, ("separately", "uv_absdiff_product")),
    ],
)
def test_few_pairs_are_encoded_separately(fields, count, expected):
    tasks = {"pair": PAIRS | fields, "hard": PAIRS | fields | {"uses": "pair", "train": None}}
    asked = []

    def counted(name):
        asked.append(name)
        return count

    found = with_pair_forms(settings(tasks), counted).tasks
    assert {(t.pair_encoding, t.features) for t in found.values()} == {expected}
    assert set(asked) <= {"pair"}  # the task whose head it is decides


def test_pairs_are_one_sequence_only_where_the_encoder_tells_its_texts_apart():
    found = with_pair_forms(settings({"pair": PAIRS}), lambda _: FEW_PAIRS, segments=1)
    assert found.tasks["pair"].pair_encoding == "separately"


def test_single_texts_have_no_form_of_a_pair():
    found = with_pair_forms(settings(), lambda _: pytest.fail("counted")).tasks["one"]
    assert (found.pair_encoding, found.features) == ("jointly", "uv")
