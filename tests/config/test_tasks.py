import pytest
from pydantic import ValidationError

from mtbert.config.targets import LOSSES, LossRule
from mtbert.config.tasks import TaskSettings, predictions_name
from mtbert.objectives.table import objective_of

SINGLE = {"kind": "classification", "labels": ["bad", "good"], "train": "a.csv", "dev": "b.csv"}
SEVERAL = {**SINGLE, "kind": "multilabel_classification"}
PAIR = {"kind": "pair_regression", "train": "a.csv", "dev": "b.csv"}


@pytest.mark.parametrize(
    ("changes", "names", "loss", "outputs"),
    [
        ({}, ("bad", "good"), "cross_entropy", 2),
        ({"labels": ["a", "b", "c"]}, ("a", "b", "c"), "cross_entropy", 3),
        ({"loss": "binary_cross_entropy"}, ("bad", "good"), "binary_cross_entropy", 1),
        ({"loss": "mse"}, ("bad", "good"), "mse", 1),
        ({"kind": "pair_classification", "labels": None}, ("0", "1"), "cross_entropy", 2),
        ({"kind": "regression", "labels": None}, (), "mse", 1),
        ({"labels": ["a", "b", "c"], "loss": "ordinal"}, ("a", "b", "c"), "ordinal", 2),
        ({"loss": "ordinal"}, ("bad", "good"), "ordinal", 1),
        ({"kind": "multilabel_classification"}, ("bad", "good"), "multilabel", 2),
        (
            {**SEVERAL, "labels": None, "columns": {"labels": ["x", "y", "z"]}},
            ("x", "y", "z"),
            "multilabel",
            3,
        ),
        (
            {**SEVERAL, "columns": {"labels": ["is_bad", "is_good"]}},
            ("bad", "good"),
            "multilabel",
            2,
        ),
    ],
)
def test_classes_loss_and_outputs_of_a_task(changes, names, loss, outputs):
    task = TaskSettings.model_validate({**SINGLE, **changes})
    assert (task.class_names, task.loss_name) == (names, loss)
    assert objective_of(task).outputs(task) == outputs


def test_number_of_sequences_of_an_example():
    def sequences(**changes):
        return TaskSettings.model_validate({**PAIR, **changes}).sequences_per_example

    assert sequences() == 1
    assert sequences(pair_encoding="separately") == 2
    single = TaskSettings.model_validate({**SINGLE, "pair_encoding": "separately"})
    assert single.sequences_per_example == 1


def test_text_columns_have_the_names_of_the_course():
    assert TaskSettings.model_validate(SINGLE).text_columns == ("sentence",)
    assert TaskSettings.model_validate(PAIR).text_columns == ("sentence1", "sentence2")
    mapped = TaskSettings.model_validate({**PAIR, "columns": {"text": "q", "text2": "r"}})
    assert mapped.text_columns == ("q", "r")


def test_one_dev_file_or_several_by_name_in_order():
    assert TaskSettings.model_validate(SINGLE).dev_files == {"dev": "b.csv"}
    several = TaskSettings.model_validate({**SINGLE, "dev": {"z": "1.csv", "a": "2.csv"}})
    assert list(several.dev_files.items()) == [("z", "1.csv"), ("a", "2.csv")]
    assert TaskSettings.model_validate({**SINGLE, "dev": None}).dev_files == {}


BAD_TASKS = [
    ({**SINGLE, "train": None}, "`train`, or `uses`"),
    ({**SINGLE, "uses": "a"}, "exclude each other"),
    ({**SINGLE, "train": None, "uses": "a", "dev": None}, "needs `dev`"),
    ({**SINGLE, "labels": [1, "1"]}, "names a class twice"),
    ({**SINGLE, "labels": ["a", None]}, "found None, expected names of classes"),
    ({**SINGLE, "labels": ["a", ["b"]]}, "found ['b'], expected names of classes"),
    ({**SINGLE, "dev": "0%"}, "'0%', expected a share above 0% and below 100%"),
    ({**SINGLE, "dev": "100 %"}, "'100 %', expected a share above 0% and below 100%"),
    ({**SINGLE, "dev": {"a": "10%", "b": "20%"}}, "holds out a share of the training file more"),
    ({**SINGLE, "train": None, "uses": "x", "dev": "10%"}, "there is no `train`"),
    ({**SINGLE, "labels": ["one"]}, "two classes or more, found 1"),
    ({**SINGLE, "labels": ["a", "a"]}, "names a class twice"),
    ({**SINGLE, "range": [0, 1]}, "`range` belongs to a regression"),
    ({**SINGLE, "labels": list("abc"), "loss": "mse"}, "`mse` needs two classes, found 3"),
    ({**SINGLE, "class_weights": [1, 2, 3]}, "`class_weights` needs 2 numbers, found 3"),
    ({**SINGLE, "columns": {"text2": "x"}}, "`columns.text2` belongs to a pair"),
    ({**SINGLE, "features": "cosine"}, "needs a pair and `pair_encoding: separately`"),
    (
        {**PAIR, "features": "cosine", "pair_encoding": "jointly"},
        "needs a pair and `pair_encoding: separately`",
    ),
    ({**PAIR, "labels": ["a", "b"]}, "`labels` belongs to classes"),
    ({**PAIR, "class_weights": "balanced"}, "`class_weights` belongs to classes"),
    ({**PAIR, "loss": "cross_entropy"}, "`cross_entropy` needs classes"),
    ({**PAIR, "loss": "binary_cross_entropy"}, "on a regression needs `range`"),
    ({**PAIR, "range": [5, 0]}, "`range` must rise"),
    ({**PAIR, "range": [2, 2]}, "`range` must rise"),
    (
        {
            **PAIR,
            "kind": "pair_classification",
            "features": "cosine",
            "pair_encoding": "separately",
        },
        "`features: cosine` has one output",
    ),
    ({**SEVERAL, "labels": []}, "needs a label or more"),
    ({**SEVERAL, "labels": ["a", "a"]}, "`labels` names a label twice"),
    ({**SEVERAL, "columns": {"labels": ["x", "x"]}}, "`columns.labels` names a label twice"),
    (
        {**SEVERAL, "columns": {"labels": ["x"]}},
        "a name for each of the 1 `columns.labels`, found 2",
    ),
    ({**SEVERAL, "columns": {"labels": ["x", "y"], "label": "z"}}, "exclude each other"),
    ({**SEVERAL, "range": [0, 1]}, "`range` belongs to a regression"),
    ({**SEVERAL, "loss": "binary_cross_entropy"}, "no loss of several labels; use `multilabel`"),
    ({**SEVERAL, "class_weights": [1.0]}, "needs 2 numbers, found 1"),
    ({**SINGLE, "loss": "multilabel"}, "`multilabel` needs several labels; use `cross_entropy`"),
    ({**PAIR, "loss": "multilabel"}, "`multilabel` needs several labels; use `mse`"),
    ({**PAIR, "loss": "ordinal"}, "`ordinal` needs classes"),
    ({**SINGLE, "columns": {"labels": ["x"]}}, "`columns.labels` belongs to several labels"),
    ({**SINGLE, "label_separator": ";"}, "`label_separator` belongs to several labels"),
    ({**SINGLE, "threshold": 0.3}, "`threshold` belongs to several labels"),
    ({**SINGLE, "max_windows": 2}, "`max_windows` belongs to `long_texts: windows`"),
    ({**SINGLE, "head": "pooled", "layers": 4}, "above the last layer alone"),
    ({**SINGLE, "hidden_activation": "gelu"}, "`hidden_activation` belongs to `hidden_size`"),
    ({**SINGLE, "train": None, "uses": "a", "layers": 4}, "`layers` belongs to the task whose"),
    ({**SINGLE, "train": None, "uses": "a", "hidden_size": 4}, "`hidden_size` belongs to the task"),
    (
        {**PAIR, "features": "cosine", "pair_encoding": "separately", "hidden_size": 8},
        "is a single number; leave `hidden_size` out",
    ),
    (
        {**PAIR, "long_texts": "windows", "pair_encoding": "jointly"},
        "needs texts that are encoded alone",
    ),
    (
        {
            **SEVERAL,
            "kind": "pair_multilabel_classification",
            "features": "cosine",
            "pair_encoding": "separately",
        },
        "`features: cosine` has one output",
    ),
]


@pytest.mark.parametrize(("task", "message"), BAD_TASKS, ids=[m for _, m in BAD_TASKS])
def test_a_contradictory_task_is_refused(task, message):
    with pytest.raises(ValidationError) as error:
        TaskSettings.model_validate(task)
    assert message in str(error.value)


def test_all_contradictions_of_a_task_are_told_at_once():
    with pytest.raises(ValidationError) as error:
        TaskSettings.model_validate({**PAIR, "labels": ["a"], "range": [1, 0], "train": None})
    assert all(part in str(error.value) for part in ("`labels`", "must rise", "`uses`"))


@pytest.mark.parametrize("loss", ["mse", "binary_cross_entropy"])
def test_cosine_is_accepted_with_one_output(loss):
    changes = {"kind": "pair_classification", "features": "cosine", "pair_encoding": "separately"}
    task = TaskSettings.model_validate({**PAIR, **changes, "loss": loss})
    assert objective_of(task).outputs(task) == 1


@pytest.mark.parametrize("loss", ["mae", 3, None, ["mse"], {"mse": 1}])
def test_an_unknown_loss_is_refused_with_those_that_are_known(loss):
    if loss is None:
        assert TaskSettings.model_validate({**PAIR, "loss": loss}).loss_name == "mse"
        return
    with pytest.raises(ValidationError) as error:
        TaskSettings.model_validate({**PAIR, "loss": loss})
    expected = "should be 'cross_entropy', 'binary_cross_entropy', 'mse', 'ordinal' or "
    assert expected in str(error.value)


def test_a_loss_that_is_not_for_classes_is_refused_there(monkeypatch):
    monkeypatch.setitem(LOSSES, "absolute_error", LossRule(on_classes=False))
    assert TaskSettings.model_validate({**PAIR, "loss": "absolute_error"}).loss_name
    with pytest.raises(ValidationError, match="`absolute_error` needs a regression"):
        TaskSettings.model_validate({**SINGLE, "loss": "absolute_error"})


def test_predictions_of_the_set_that_selects_have_the_tasks_name_alone():
    assert predictions_name("sst", "dev", selects=True) == "sst"
    assert predictions_name("sst", "other", selects=False) == "sst-other"


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ([0, 1], ("0", "1")),
        ([1.0, 2.5, -3], ("1", "2.5", "-3")),
        ([False, True], ("false", "true")),
        ([True, "other", 7], ("true", "other", "7")),
    ],
)
def test_numbers_and_booleans_are_names_of_classes(written, names):
    assert TaskSettings.model_validate({**SINGLE, "labels": written}).class_names == names


def test_classes_that_are_not_named_are_unknown_until_a_file_is_read():
    task = TaskSettings.model_validate({**SINGLE, "labels": None})
    assert task.labels_unknown
    with pytest.raises(ValueError, match="not known before the training file"):
        task.class_names  # noqa: B018
    lenient = {**SINGLE, "labels": None, "loss": "mse", "class_weights": [1.0, 2.0, 3.0]}
    TaskSettings.model_validate(lenient)


@pytest.mark.parametrize(
    ("dev", "share"),
    [
        ("10%", 0.1),
        (" 12.5 %", 0.125),
        ({"a": "b.csv", "b": "20%"}, 0.2),
        ("10", None),
        ("./10%", None),
        (None, None),
    ],
)
def test_a_percentage_is_a_share_of_the_training_file(dev, share):
    assert TaskSettings.model_validate({**SINGLE, "dev": dev}).held_out == share


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({}, "standardised"),
        ({"target": None}, "standardised"),
        ({"loss": "mse", "range": [0, 5]}, "standardised"),
        ({"target": "raw"}, "raw"),
        ({"target": "popart"}, "popart"),
        ({"loss": "binary_cross_entropy", "range": [0, 5]}, None),
        ({"loss": "binary_cross_entropy", "range": [0, 5], "target": "raw"}, "raw"),
        ({"train": None, "uses": "other"}, None),
        (SINGLE, None),
        (SINGLE | {"loss": "mse"}, None),
    ],
)
def test_a_squared_error_is_of_a_standardised_target_unless_it_says_raw(changes, target):
    assert TaskSettings.model_validate({**PAIR, **changes}).target == target


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (SINGLE | {"target": "raw"}, "`target` belongs to a regression; classes have no unit"),
        (SINGLE | {"loss": "mse", "target": "standardised"}, "`target` belongs to a regression"),
        (
            {"loss": "binary_cross_entropy", "range": [0, 1], "target": "standardised"},
            "`target: standardised` has no effect on `binary_cross_entropy`.*leave `target` out",
        ),
        ({"loss": "binary_cross_entropy", "range": [0, 1], "target": "popart"}, "no effect"),
        ({"train": None, "uses": "other", "target": "raw"}, "`target` belongs to the task whose"),
        ({"target": "standardized"}, "standardised"),
    ],
)
def test_a_target_where_it_means_nothing_is_refused(changes, told):
    with pytest.raises(ValidationError, match=told):
        TaskSettings.model_validate({**PAIR, **changes})
