"""What is meant by a command or an option that there is not."""

import pytest

from mtbert.commands.mistyped import command_problem, rest_problem


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["trian"], "train"),
        (["--quiet", "evalute", "runs/x"], "evaluate"),
        (["eval", "runs/x"], "evaluate"),
        (["check", "x.csv"], "data check"),
        (["data", "chekc", "x.csv"], "data check"),
        (["resume", "runs/x"], "train --resume"),
        (["mine.yaml"], "train mine.yaml"),
    ],
)
def test_the_nearest_command_is_named(words, meant):
    assert f"did you mean `mtbert {meant}`?" in command_problem(words)


@pytest.mark.parametrize("words", [["train"], ["data", "check"], ["data"], [], ["--help"]])
def test_a_command_that_is_there_is_no_problem(words):
    assert command_problem(words) is None


def test_a_word_like_none_gives_the_list():
    told = command_problem(["xyzzy"])
    assert "did you mean" not in told
    assert "train, " in told


def test_a_setting_is_offered_only_where_settings_are_taken():
    told = rest_problem(
        ["--epochs"], ["train", "--epochs", "3"], ["--output"], "train", takes_overrides=True
    )
    assert told.endswith("training.epochs=3")
    told = rest_problem(
        ["--epochs", "3"], ["--epochs", "3"], ["--task"], "predict", takes_overrides=False
    )
    assert told == "predict: no option --epochs; it has --task"
    told = rest_problem(
        ["--training.epochs=3"], ["--training.epochs=3"], ["--task"], "train", takes_overrides=True
    )
    assert told.endswith("training.epochs=3")
    assert "more arguments" in rest_problem(
        ["a", "b"], ["a", "b"], [], "predict", takes_overrides=False
    )
