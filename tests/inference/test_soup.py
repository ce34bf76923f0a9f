"""Which runs go into a soup."""

import pytest
import torch
from support.toy import TASKS, write_encoder

from mtbert.errors import UserError
from mtbert.inference.soup import greedy, load_ingredients, mix

SHORT = {"epochs": 1}


def test_the_greedy_soup_by_hand():
    """Runs in the order 2, 0, 3, 1; run 0 lowers the score, run 3 leaves it, run 1 raises it."""
    asked = []
    values = {(2, 0): 0.89, (2, 3): 0.9, (2, 3, 1): 0.95}

    def score_of(numbers):
        asked.append(tuple(numbers))
        return values[tuple(numbers)]

    assert greedy([0.8, 0.5, 0.9, 0.7], score_of) == ([2, 3, 1], 0.95)
    assert asked == list(values)


def test_the_first_of_equal_runs_comes_first():
    assert greedy([0.5, 0.5], lambda numbers: 0.4) == ([0], 0.5)


def test_one_run_alone_is_its_own_soup():
    assert greedy([0.5], None) == ([0], 0.5)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"encoder": {"max_length": 8}}, r"encoder\.max_length"),
        ({"tasks": {"sst": TASKS["sst"] | {"head": "mean"}}}, r"tasks\.sst\.head"),
        ({"tasks": {"sst": TASKS["sst"] | {"labels": ["good", "bad"]}}}, r"tasks\.sst\.labels"),
        ({"tasks": {"tone": TASKS["sst"]}}, r"tasks \(sst, tone\)"),
        ({"tasks": {"sst": TASKS["sst"] | {"dev": "20%"}}}, r"tasks\.sst\.dev"),
        ({"encoder": {"sharing": "lora"}}, r"encoder\.sharing"),
        ({"encoder": {"path": "other"}}, "the encoder that they started from"),
    ],
)
def test_runs_from_another_start_are_refused(toy, tmp_path, changes, told):
    if changes.get("encoder", {}).get("path"):
        path = write_encoder(tmp_path / "encoder", hidden_dropout_prob=0.2)
        changes = {"encoder": {"path": str(path)}}
    names = () if "tasks" in changes else ("sst",)
    toy.train(tmp_path / "one", "sst", training=SHORT)
    toy.train(tmp_path / "two", *names, training=SHORT, **changes)
    with pytest.raises(
        UserError, match=f"two: cannot go into a soup with .*one; they differ in {told}"
    ):
        load_ingredients([tmp_path / "one", tmp_path / "two"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tasks": {"sst": TASKS["sst"] | {"hidden_size": 4}}}, r"`tasks\.sst\.hidden_size`"),
        ({"encoder": {"reinitialise": 1}}, r"`encoder\.reinitialise`"),
        ({"encoder": {"sharing": "lora"}}, r"`encoder\.sharing`"),
    ],
)
def test_what_the_seed_draws_is_refused_with_several_seeds(toy, tmp_path, changes, told):
    names = () if "tasks" in changes else ("sst",)
    paths = [tmp_path / "one", tmp_path / "two", tmp_path / "same"]
    for path, seed, rate in zip(paths, (1, 2, 1), (1e-3, 1e-3, 2e-3), strict=True):
        toy.train(path, *names, training=SHORT | {"learning_rate": rate}, seed=seed, **changes)
    with pytest.raises(UserError, match=f"{told}.* drawn by the seed, which is 2 here and 1 there"):
        load_ingredients(paths[:2])
    assert len(load_ingredients([paths[0], paths[2]])) == 2


def test_runs_that_held_out_other_rows_are_refused(toy, tmp_path):
    tasks = {"sst": TASKS["sst"] | {"dev": "30%"}}
    for name, seed in (("one", 1), ("two", 2)):
        toy.train(
            tmp_path / name,
            tasks=tasks,
            data={"dir": str(toy.folder), "split_seed": seed},
            training=SHORT,
        )
    with pytest.raises(UserError, match=r"data\.split_seed, so that one was trained on dev rows"):
        load_ingredients([tmp_path / "one", tmp_path / "two"])


def test_the_order_of_the_tasks_makes_no_difference(toy, tmp_path):
    toy.train(tmp_path / "one", "sst", "para", training=SHORT)
    toy.train(tmp_path / "two", "para", "sst", training=SHORT)
    first, second = load_ingredients([tmp_path / "one", tmp_path / "two"])
    assert list(first.settings.tasks) == ["sst", "para"]
    assert list(second.settings.tasks) == ["para", "sst"]
    mixed = mix([first, second]).network.state_dict()
    parts = [each.model.network.state_dict() for each in (first, second)]
    name = "heads.para.linear.weight"
    torch.testing.assert_close(mixed[name], (parts[0][name] + parts[1][name]) / 2)
