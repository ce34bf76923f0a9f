import pytest
from pydantic import ValidationError

from mtbert.config.settings import Settings
from mtbert.config.tasks import TaskSettings
from mtbert.config.training import TrainingSettings

SINGLE = {"kind": "classification", "labels": ["bad", "good"], "train": "a.csv", "dev": "b.csv"}
PAIR = {"kind": "pair_regression", "train": "a.csv", "dev": "b.csv"}


def run(**changes) -> Settings:
    return Settings.model_validate({"tasks": {"a": SINGLE, "b": PAIR}, **changes})


def test_defaults_are_for_small_data_of_ones_own_and_those_of_the_surface():
    settings = run()
    assert settings.encoder.path == "packaged"
    assert settings.encoder.mode == "finetune"
    assert settings.encoder.max_length == 512
    assert settings.device == "auto"
    assert settings.threads == "auto"
    training = settings.training
    assert (training.epochs, training.batch_size, training.batching.name) == ("auto", 16, "method2")
    assert training.learning_rate == training.head_learning_rate == "auto"
    assert (training.schedule, training.warmup) == ("linear", 0.1)
    assert (training.weight_decay, training.clip) == (0.01, 1.0)
    assert (training.surgery.name, training.precision, training.select) == (
        "none",
        "auto",
        "balanced",
    )
    assert (training.accumulate, training.keep_checkpoints) == (1, 1)
    assert training.patience is None
    assert training.group_by_length is False
    assert training.deterministic is False
    task = settings.tasks["a"]
    assert (task.loss_weight, task.on_bad_rows, task.batch_size) == (1.0, "error", None)
    assert (task.head, task.features, task.pair_encoding) == ("mean", "auto", "auto")


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        run().seed = 2


@pytest.mark.parametrize("section", [Settings, TaskSettings, TrainingSettings])
def test_every_key_is_described(section):
    undescribed = [n for n, field in section.model_fields.items() if not field.description]
    assert undescribed == []


BAD_RUNS = [
    ({"encoder": {"mode": "frozen"}, "training": {"surgery": "pcgrad"}}, "nothing is shared"),
    ({"tasks": {"a": SINGLE}, "training": {"surgery": "pcgrad"}}, "one task has no gradient"),
    ({"encoder": {"mode": "frozen", "reinitialise": 1}}, "encoder.reinitialise: with"),
    (
        {"encoder": {"mode": "frozen"}, "training": {"layer_decay": 0.9}},
        "training.layer_decay: with `encoder.mode: frozen` the encoder does not learn",
    ),
    ({"training": {"compile": "reduce-overhead"}}, "one backward pass a step"),
    (
        {"tasks": {"a": SINGLE}, "training": {"compile": "reduce-overhead", "accumulate": 2}},
        "one backward pass a step",
    ),
    ({"tasks": {}}, "tasks"),
    ({"tasks": {"1a": SINGLE}}, "tasks"),
    ({"tasks": {"a.b": SINGLE}}, "tasks"),
    ({"tasks": {"../a": SINGLE}}, "tasks"),
    ({"tasks": {"a": {**SINGLE, "dev": None}}}, "no task has a `dev` file"),
    ({"tasks": {"a": {**SINGLE, "train": None, "uses": "b"}}}, "at least one task needs `train`"),
    ({"training": {"learning_rate": float("inf")}}, "finite"),
    ({"training": {"learning_rate": 0}}, "greater than 0"),
    ({"training": {"epochs": 0}}, "greater than or equal to 1"),
    ({"training": {"warmup": 1}}, "less than 1"),
    ({"seed": -1}, "greater than or equal to 0"),
    ({"seed": 2**31}, "less than"),
    ({"encoder": {"max_length": 3}}, "greater than or equal to 4"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_RUNS)
def test_a_run_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValidationError) as error:
        run(**changes)
    assert message in str(error.value)


def test_select_must_name_a_score_that_will_exist():
    for select in ("sum", "a.accuracy", "a.f1", "b.pearson", "b.spearman"):
        assert run(training={"select": select}).training.select == select
    with pytest.raises(ValidationError) as error:
        run(training={"select": "a.pearson"})
    expected = (
        "found 'a.pearson'; did you mean 'b.pearson'?; expected one of balanced, sum, a.accuracy, "
    )
    assert expected in str(error.value)


def test_select_cannot_name_a_task_without_dev_file():
    with pytest.raises(ValidationError, match=r"expected one of balanced, sum, b\.pearson"):
        run(
            tasks={"a": {**SINGLE, "dev": None}, "b": PAIR},
            training={"select": "a.accuracy"},
        )


USER = {"kind": "classification", "labels": ["bad", "good"], "uses": "a", "dev": "c.csv"}


def test_a_task_may_use_the_head_of_another_of_the_same_form():
    settings = run(tasks={"a": SINGLE, "also": USER})
    assert list(settings.trained_tasks) == ["a"]


@pytest.mark.parametrize(
    "changes",
    [
        {"uses": "nobody"},
        {"uses": "also"},
        {"uses": "b"},
        {"labels": ["good", "bad"]},
        {"loss": "mse"},
    ],
)
def test_a_task_cannot_use_a_head_that_does_not_fit(changes):
    with pytest.raises(ValidationError, match=r"tasks\.also\.uses: no trained task"):
        run(tasks={"a": SINGLE, "b": PAIR, "also": {**USER, **changes}})


def test_a_task_that_uses_a_head_answers_in_that_heads_form():
    """What it leaves out is the owner's; what differs would make other numbers of one output."""
    owner = {
        **PAIR,
        "range": [0, 5],
        "loss": "binary_cross_entropy",
        "pair_encoding": "both_orders",
    }
    also = {"kind": "pair_regression", "uses": "b", "dev": "c.csv"}
    found = run(tasks={"b": owner, "also": also}).tasks["also"]
    assert (found.range, found.loss, found.pair_encoding) == (
        (0, 5), "binary_cross_entropy", "both_orders",
    )  # fmt: skip
    for changes in ({"range": [0, 1]}, {"loss": "mse"}, {"pair_encoding": "jointly"}):
        with pytest.raises(ValidationError, match=r"tasks\.also\.uses: no trained .* range, loss"):
            run(tasks={"b": owner, "also": {**also, **changes}})


def test_surgery_is_accepted_where_two_tasks_train_a_shared_encoder():
    for mode in ("finetune", "heads_first"):
        settings = run(training={"surgery": "pcgrad"}, encoder={"mode": mode})
        assert settings.training.surgery.name == "pcgrad"


def two_tasks_on(first, second, **data):
    """Settings of two tasks with a training file each, and both dev files elsewhere."""
    kind = {"kind": "pair_classification"}
    tasks = {
        "a": {**kind, "train": first, "dev": "a-dev.csv"},
        "b": {**kind, "train": second, "dev": "b-dev.csv"},
    }
    return Settings(tasks=tasks, data=data)


@pytest.mark.parametrize("spelling", ["t.csv", "./t.csv", "x/../t.csv", "{dir}/t.csv"])
def test_a_file_of_two_tasks_is_shared_however_they_spell_it(tmp_path, spelling):
    spelling = spelling.replace("{dir}", str(tmp_path))
    settings = two_tasks_on("t.csv", spelling, dir=str(tmp_path))
    assert settings.shares_file("t.csv")
    assert settings.shares_file(spelling)
    assert not settings.shares_file("a-dev.csv")
    assert not settings.shares_file("elsewhere.csv")


def test_a_file_is_shared_through_a_link_too(tmp_path):
    (tmp_path / "t.csv").write_text("")
    (tmp_path / "link.csv").symlink_to("t.csv")
    assert two_tasks_on("t.csv", "link.csv", dir=str(tmp_path)).shares_file("link.csv")


def test_a_file_that_one_task_uses_twice_is_not_shared():
    assert not two_tasks_on("a-dev.csv", "b.csv").shares_file("a-dev.csv")


def test_a_file_is_shared_with_the_task_that_tests_on_it():
    tasks = {
        "a": {"kind": "pair_regression", "train": "a.csv", "dev": "d.csv", "test": "b.csv"},
        "b": {"kind": "pair_regression", "train": "b.csv", "dev": "e.csv"},
    }
    assert Settings(tasks=tasks).shares_file("b.csv")


def test_the_packaged_files_are_shared_by_their_names():
    settings = two_tasks_on("similarity-train.csv", "./similarity-train.csv", dir="packaged")
    assert settings.shares_file("similarity-train.csv")
