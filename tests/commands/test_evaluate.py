"""`mtbert evaluate`: the scores of a finished run, on any split."""

import csv
import json
import logging
import shutil

import pytest
from scipy import stats
from sklearn.metrics import accuracy_score
from support.toy import assert_refused

from mtbert.commands.evaluate import evaluate_file, evaluate_run
from mtbert.commands.predict import predict_file
from mtbert.config.load import load_config
from mtbert.data.sources import locate
from mtbert.errors import UserError


def summary_of(run):
    return json.loads((run / "summary.json").read_text("utf-8"))


def read_jsonl(text):
    return [json.loads(line) for line in text.splitlines()]


def test_evaluating_a_run_gives_the_scores_of_its_summary(finished):
    found, summary = evaluate_run(finished, "dev"), summary_of(finished)
    assert found["split"] == "dev"
    for task, metrics in summary["dev"].items():
        assert found["dev"][task] == pytest.approx(metrics)
    assert found["overall"] == pytest.approx(summary["overall"])
    assert found["mean"] == pytest.approx(summary["mean"])


def test_another_split_is_scored_under_another_name(toy, finished, tmp_path):
    found = evaluate_run(finished, "train")
    assert set(found["train"]) == {"sst", "para", "sts"}
    assert "dev" not in found
    predict_file(finished, "sts", str(toy.folder / "sts-train.csv"), tmp_path / "out.jsonl")
    predicted = [r["prediction"] for r in read_jsonl((tmp_path / "out.jsonl").read_text())]
    lines = (toy.folder / "sts-train.csv").read_text("utf-8").splitlines()[1:]
    gold = [float(line.split(",")[-1]) for line in lines]
    expected = stats.pearsonr(gold, predicted)[0]
    assert found["train"]["sts"]["pearson"] == pytest.approx(expected, rel=1e-4)


def test_a_test_file_without_labels_cannot_be_scored(finished):
    with pytest.raises(UserError, match=r"sst-test\.csv:1: no column 'label'"):
        evaluate_run(finished, "test")


def test_a_labelled_file_is_scored_by_every_task_whose_columns_it_has(
    toy, finished, tmp_path, call
):
    expected = evaluate_run(finished, "dev")["dev"]["sst"]
    code, out, err = call("evaluate", finished, toy.folder / "sst-dev.csv", "--json")
    assert code == 0
    assert json.loads(out)["file"] == {"sst": pytest.approx(expected)}
    assert "task para is left out" in err
    shutil.copytree(finished / "model", tmp_path / "m")
    code, out, _ = call("evaluate", tmp_path / "m", toy.folder / "sts-dev.csv", "--task", "sts")
    assert code == 0
    assert f"{evaluate_run(finished, 'dev')['dev']['sts']['pearson']:.4f}" in out


def test_own_columns_and_rows_without_a_label(toy, finished, tmp_path, call):
    lines = (toy.folder / "sst-dev.csv").read_text("utf-8").splitlines()[1:]
    (tmp_path / "t.csv").write_text("\n".join(["ref,body,mood", *lines, "x,a film,", "y,a film,9"]))
    columns = ["--columns", "text=body", "label=mood", "id=ref"]
    code, _, err = call("evaluate", finished, tmp_path / "t.csv", "--task", "sst", *columns)
    assert code == 2
    assert "t.csv:11: " in err and "--on-bad-rows skip" in err
    options = ["--task", "sst", *columns, "--on-bad-rows", "skip", "--json"]
    code, out, err = call(
        "evaluate", finished, tmp_path / "t.csv", *options, "--output", tmp_path / "o.csv"
    )
    assert code == 0
    assert "8 rows scored, 1 bad and skipped, 1 without a label" in err
    with (tmp_path / "o.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["id"] for row in rows] == [f"sst{i}" for i in range(8)]
    accuracy = accuracy_score([r["gold"] for r in rows], [r["prediction"] for r in rows])
    assert json.loads(out)["file"]["sst"]["accuracy"] == pytest.approx(accuracy)


def test_predictions_of_several_tasks_name_their_task(finished, tmp_path):
    (tmp_path / "t.csv").write_text(
        "sentence1,sentence2,label\na cat,a dog,0\nmoon,moon,1\nsun,sea,1\n"
    )
    found = evaluate_file(finished, tmp_path / "t.csv")
    assert set(found.scores["file"]) == {"para", "sts"}
    assert [row["gold"] for row in found.predictions["para"]] == [0, 1, 1]


def test_a_file_that_was_trained_on_is_told(finished, tmp_path, caplog):
    settings = load_config(str(finished / "config.yaml"))
    with caplog.at_level(logging.WARNING):
        evaluate_file(finished, locate(settings, settings.tasks["sst"].train), ["sst"])
    assert "task sst: " in caplog.text
    assert "is the file that it was trained on" in caplog.text
    caplog.clear()
    (dev,) = settings.tasks["sst"].dev_files.values()
    with caplog.at_level(logging.WARNING):
        evaluate_file(finished, locate(settings, dev), ["sst"])
        evaluate_file(finished / "model", locate(settings, settings.tasks["sst"].train), ["sst"])
    assert "trained on" not in caplog.text


@pytest.mark.parametrize("label", ["-1", ""])
def test_hidden_labels_are_told_as_what_they_are(finished, tmp_path, capsys, label):
    (tmp_path / "t.csv").write_text(f"sentence,label\na film,{label}\nthe cat,{label}\n")
    told = "no labels to score by: all of them are blank or -1"
    assert_refused(capsys, tmp_path, told, "evaluate", finished, tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["RUN", "t.csv", "--split", "dev"], "found a file and --split"),
        (["RUN", "--columns", "text=x"], "belong to a FILE"),
        (["RUN/model"], "a model alone has no data of its own: give a labelled file"),
        (["RUN", "t.csv"], "no column 'label', found 'sentence'"),
        (["RUN", "t.csv", "--task", "para"], "para needs 'sentence1' and 'sentence2'"),
        (["RUN", "t.csv", "--task", "x"], "--task: found 'x', expected one of sst, para, sts"),
    ],
)
def test_what_cannot_be_scored_is_told(finished, tmp_path, capsys, monkeypatch, arguments, told):
    (tmp_path / "t.csv").write_text("sentence\na film\n")
    monkeypatch.chdir(tmp_path)
    given = [a.replace("RUN", str(finished)) for a in arguments]
    assert_refused(capsys, tmp_path, told, "evaluate", *given)
