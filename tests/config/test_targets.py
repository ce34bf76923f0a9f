"""What follows from a task's kind, and which losses fit it."""

import pytest

from mtbert.config.targets import LOSSES, TargetKind, by_squared_error

LABEL_SETS = ("micro_f1", "macro_f1", "subset_accuracy")


@pytest.mark.parametrize(
    ("kind", "pair", "classes", "metrics"),
    [
        ("classification", False, True, ("accuracy", "f1")),
        ("pair_classification", True, True, ("accuracy", "f1")),
        ("multilabel_classification", False, False, LABEL_SETS),
        ("pair_multilabel_classification", True, False, LABEL_SETS),
        ("regression", False, False, ("pearson", "spearman")),
        ("pair_regression", True, False, ("pearson", "spearman")),
    ],
)
def test_what_a_kind_means(kind, pair, classes, metrics):
    kind = TargetKind(kind)
    assert (kind.is_pair, kind.is_classification) == (pair, classes)
    assert [kind.is_classification, kind.is_multilabel, kind.is_regression].count(True) == 1
    assert kind.metrics[: len(metrics)] == metrics


@pytest.mark.parametrize("kind", TargetKind)
def test_the_main_metric_is_one_that_is_reported(kind):
    assert kind.main_metric == kind.metrics[0]
    assert kind.main_metric in ("accuracy", "pearson", "micro_f1")


@pytest.mark.parametrize("kind", TargetKind)
def test_the_default_loss_fits_its_kind(kind):
    rule = LOSSES[kind.default_loss]
    fits = {
        rule.on_classes: kind.is_classification,
        rule.on_regression: kind.is_regression,
        rule.on_labels: kind.is_multilabel,
    }
    assert fits == {True: True, False: False}
    assert not rule.needs_range


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"kind": "regression"}, True),
        ({"kind": "pair_regression", "loss": "mse"}, True),
        ({"kind": "regression", "loss": "binary_cross_entropy"}, False),
        ({"kind": "classification", "loss": "mse"}, False),
        ({"kind": "regression", "loss": "mae"}, False),
        ({"kind": "regression", "loss": ["mse"]}, False),
        ({"kind": ["regression"]}, False),
        ({"kind": "regresion"}, False),
        ({}, False),
    ],
)
def test_keys_that_are_not_checked_yet_tell_whether_the_unit_matters(fields, expected):
    assert by_squared_error(fields) is expected
