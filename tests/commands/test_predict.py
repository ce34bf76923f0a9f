"""`mtbert predict`: rows in, predictions out, in any format and order of columns."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.toy import assert_refused

from mtbert.cli import main
from mtbert.commands.predict import predict_file
from mtbert.errors import UserError


def read_jsonl(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def predict(finished, tmp_path):
    """Write an input file, predict, and return the rows of the output file."""

    def predict_rows(content, name="rows.csv", task="sst"):
        raw = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(raw)
        predict_file(finished, task, str(tmp_path / name), tmp_path / "out.jsonl")
        return read_jsonl((tmp_path / "out.jsonl").read_text("utf-8"))

    return predict_rows


def test_csv_tsv_and_jsonl_of_the_same_rows_give_the_same_answers(predict):
    rows = [("a", "the good film"), ("é", "a cat"), ("c", "")]
    found = predict("id,sentence\n" + "".join(f"{i},{t}\n" for i, t in rows))
    assert [row["id"] for row in found] == ["a", "é", "c"]
    assert list(found[0]) == ["id", "prediction", "label", "score", "probabilities"]
    assert predict("id\tsentence\n" + "".join(f"{i}\t{t}\n" for i, t in rows)) == found
    records = [json.dumps({"id": i, "sentence": t, "label": "?"}) for i, t in rows]
    assert predict("\n".join(records), "rows.jsonl") == found


def test_standard_input_is_read_and_standard_output_written(finished, predict, monkeypatch, capsys):
    content = "id,sentence\na,the good film\nb,moon\n"
    expected = predict(content)
    stdin = type("Stdin", (), {"buffer": io.BytesIO(content.encode())})
    monkeypatch.setattr("sys.stdin", stdin)
    predict_file(finished, "sst", "-", None)
    assert read_jsonl(capsys.readouterr().out) == expected


def test_a_bad_row_is_told_by_line_and_leaves_no_file(predict, tmp_path):
    with pytest.raises(UserError, match=r"rows\.csv:4: found 1 columns.*fix the row"):
        predict("id,sentence\na,film\nb,film\nc\n")
    assert [p.name for p in tmp_path.iterdir()] == ["rows.csv"]


ALL = "id,sentence,sentence1,sentence2\na,the good film,a cat,a dog\nb,,moon,moon\n"


def test_all_tasks_are_answered_together_as_each_is_alone(finished, tmp_path):
    """One encoding serves several tasks, and the answers are those of each alone."""
    (tmp_path / "all.csv").write_text(ALL)
    predict_file(finished, None, str(tmp_path / "all.csv"), tmp_path / "all.jsonl")
    found = read_jsonl((tmp_path / "all.jsonl").read_text("utf-8"))
    assert [list(row) for row in found] == [["id", "sst", "para", "sts"]] * 2
    for task in ("sst", "para", "sts"):
        predict_file(finished, task, str(tmp_path / "all.csv"), tmp_path / "one.jsonl")
        alone = read_jsonl((tmp_path / "one.jsonl").read_text("utf-8"))
        assert [row["id"] for row in alone] == ["a", "b"]
        for row, other in zip(found, alone, strict=True):
            assert row[task]["score"] == pytest.approx(other["score"], abs=1e-6)
            assert row[task]["prediction"] == pytest.approx(other["prediction"], abs=1e-6)


def test_tasks_whose_columns_are_not_there_are_left_out_and_told(finished, tmp_path, call):
    (tmp_path / "some.csv").write_text("sentence\nthe film\n")
    code, out, err = call("predict", finished, tmp_path / "some.csv")
    assert code == 0
    assert list(json.loads(out)) == ["id", "sst"]
    assert "task para is left out: no 'sentence1' and 'sentence2'" in err
    code, out, err = call("predict", finished, "--task", "sst", "--task", "para", "some.csv")
    assert (code, out) == (2, "")


def test_nothing_that_fits_is_told_with_what_is_there(finished, tmp_path, capsys):
    (tmp_path / "t.csv").write_text("body,title\nx,y\n")
    told = "found 'body', 'title'; sst needs 'sentence'; para needs 'sentence1' and 'sentence2'"
    assert_refused(capsys, tmp_path, told, "predict", finished, tmp_path / "t.csv")
    told = "no column 'ref' for the ids, found 'body', 'title'"
    columns = ["--columns", "text=body", "id=ref"]
    assert_refused(capsys, tmp_path, told, "predict", finished, tmp_path / "t.csv", *columns)


@pytest.mark.parametrize(
    "arguments",
    [
        ["RUN", "t.csv", "--columns", "text=body"],
        ["RUN", "--columns", "text=body", "t.csv"],
        ["--columns", "text=body", "RUN", "t.csv"],
        ["RUN", "t.csv", "--columns", "sst.text=body", "--task", "sst"],
    ],
)
def test_own_columns_are_named_anywhere_and_need_no_id(
    finished, predict, tmp_path, call, arguments, monkeypatch
):
    expected = predict("sentence\nthe good film\n")[0]
    (tmp_path / "t.csv").write_text("body,x\nthe good film,1\n")
    monkeypatch.chdir(tmp_path)
    code, out, _ = call("predict", *[finished if a == "RUN" else a for a in arguments])
    assert code == 0
    found = json.loads(out)
    assert found["id"] == "1"
    assert found.get("sst", found)["score"] == expected["score"]


def test_bad_rows_may_be_left_out_and_are_counted(finished, tmp_path, call):
    (tmp_path / "t.csv").write_text("sentence,x\nfilm,1\nfilm\n,2\n" + "the " * 30 + ",2\n")
    options = ["--task", "sst", "--on-bad-rows", "skip"]
    code, out, err = call("predict", finished, tmp_path / "t.csv", *options)
    assert code == 0
    assert [row["id"] for row in read_jsonl(out)] == ["1", "3", "4"]
    assert "t.csv:3: found 1 columns" in err
    assert "4 rows: 3 answered, 1 bad and skipped, 1 too long and cut, 1 with an empty text" in err


@pytest.mark.parametrize(("name", "delimiter"), [("o.csv", ","), ("o.TSV", "\t")])
def test_csv_and_tsv_by_the_outputs_name(finished, tmp_path, call, name, delimiter):
    (tmp_path / "t.csv").write_text(ALL.replace("a,the", '"a, ""x""",the'))
    code, out, _ = call("predict", finished, tmp_path / "t.csv", "--output", tmp_path / name)
    assert (code, out) == (0, "")
    with (tmp_path / name).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=delimiter))
    assert list(rows[0]) == [
        "id", "sst", "sst_score", "sst_probability_bad", "sst_probability_good",
        "para", "para_score", "para_probability_0", "para_probability_1", "sts",
    ]  # fmt: skip
    assert rows[0]["id"] == 'a, "x"'
    assert rows[0]["sst"] in ("bad", "good")
    assert float(rows[0]["sst_score"]) == float(rows[0][f"sst_probability_{rows[0]['sst']}"])
    assert 0 <= float(rows[0]["sts"]) <= 5 or float(rows[0]["sts"])


def test_a_format_that_is_not_written_is_refused_at_once(finished, tmp_path, capsys):
    told = ".parquet is not written; expected .jsonl, .csv or .tsv"
    output = ["--output", tmp_path / "o.parquet"]
    assert_refused(capsys, tmp_path, told, "predict", finished, "x.csv", *output)


def test_texts_of_the_command_line_are_answered(finished, predict, call):
    expected = predict("sentence\nthe good film\na cat\n")
    code, out, err = call("predict", finished, "--text", "the good film", "--text", "a cat")
    assert code == 0
    assert [row["sst"]["score"] for row in read_jsonl(out)] == [
        pytest.approx(row["score"]) for row in expected
    ]
    assert "task para is left out: it takes two texts (--text2)" in err
    code, out, _ = call("predict", finished, "--text", "a cat", "--text2", "a dog")
    assert list(json.loads(out)) == ["id", "para", "sts"]
    code, pair, _ = call("predict", finished, "--task", "sts", "--text", "a cat", "--text", "a dog")
    assert json.loads(pair)["score"] == json.loads(out)["sts"]["score"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "nothing to answer; give a file, - for standard input, or --text"),
        (["--text", "a", "--text2", "b", "--text2", "c"], "1 --text and 2 --text2"),
        (["--task", "sst", "--text", "a", "--text2", "b"], "task sst takes one text each: --text"),
        (["--task", "para", "--text", "a"], "task para takes two texts"),
        (["x.csv", "--text", "a"], "found a file and --text"),
        (["x.csv", "--columns", "txt=body"], "--columns: found 'txt=body', expected WHICH=COLUMN"),
        (["x.csv"], "x.csv: no such file"),
    ],
)
def test_what_cannot_be_meant_is_told(finished, tmp_path, capsys, arguments, told):
    assert_refused(capsys, tmp_path, told, "predict", finished, *arguments)


def test_people_are_shown_lines_instead_of_json(finished, call, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    code, out, _ = call("predict", finished, "--text", "a cat")
    assert code == 0
    assert re.fullmatch(r"a cat\n  sst  (bad|good) \(0\.\d\d\)\n", out)


def test_a_model_folder_answers_as_its_run(finished, predict, tmp_path, call):
    """The model alone, as one shares or downloads it; this run computes in fp32."""
    expected = predict("sentence\nthe good film\n")
    shutil.copytree(finished / "model", tmp_path / "downloaded")
    (tmp_path / "t.csv").write_text("sentence\nthe good film\n")
    code, out, _ = call("predict", tmp_path / "downloaded", "--task", "sst", tmp_path / "t.csv")
    assert code == 0
    assert read_jsonl(out) == expected


def test_a_model_of_the_hub_answers(finished, predict, tmp_path, call, monkeypatch):
    """A mirror in the layout of the Hub's cache, without network."""
    commit = "a" * 40
    repository = tmp_path / "hub" / "models--me--mine"
    shutil.copytree(finished / "model", repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    expected = predict("sentence\nthe good film\n")
    code, out, _ = call("predict", "me/mine", "--task", "sst", tmp_path / "rows.csv")
    assert code == 0
    assert read_jsonl(out) == expected


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("/nowhere", "/nowhere: no such folder; expected a run, a model folder or a Hub id"),
        (".", "neither a run (no config.yaml in it) nor a model of mtbert"),
        ("me/nothing", "could not be downloaded from the Hub"),
    ],
)
def test_what_is_no_model_is_told(tmp_path, capsys, monkeypatch, model, told):
    monkeypatch.chdir(tmp_path)
    assert_refused(capsys, tmp_path, told, "predict", model, "--text", "a")


def test_someone_who_types_is_answered_before_the_end(finished):
    command = [sys.executable, "-m", "mtbert", "predict", str(finished), "--task", "sst", "-"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen(command, **pipes) as process:
        process.stdin.write("sentence\nthe good film\n")
        assert json.loads(process.stdout.readline())["id"] == "1"
        process.stdin.write("a cat\nthe moon\n")
        assert json.loads(process.stdout.readline())["id"] == "2"
        assert json.loads(process.stdout.readline())["id"] == "3"
        process.stdin.close()
    assert process.returncode == 0


def test_a_task_that_the_run_has_not_is_refused(predict):
    with pytest.raises(UserError, match="--task: found 'film', expected one of sst, para, sts"):
        predict("id,sentence\na,b\n", task="film")


@pytest.mark.parametrize("name", ["rows.csv", "link.csv"])
def test_answers_are_not_written_over_the_rows(finished, tmp_path, capsys, name):
    rows = tmp_path / "rows.csv"
    rows.write_text("id,sentence,label\na,film,good\n")
    (tmp_path / "link.csv").symlink_to(rows)
    for command in ("predict", "evaluate"):
        assert_refused(
            capsys, tmp_path, "is the file that is read", command, finished, rows, "--output",
            tmp_path / name,
        )  # fmt: skip


def test_the_dash_is_standard_output(finished, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("id,sentence,label\na,film,good\n")
    predict_file(finished, "sst", "rows.csv", Path("-"))
    assert [row["id"] for row in read_jsonl(capsys.readouterr().out)] == ["a"]
    assert [p.name for p in tmp_path.iterdir()] == ["rows.csv"]
    assert_refused(
        capsys, tmp_path, "the scores go to standard output", "evaluate", finished, "rows.csv",
        "--output", "-",
    )  # fmt: skip


def test_evaluate_writes_an_array_into_a_file_called_json(finished, tmp_path, capsys):
    (tmp_path / "rows.csv").write_text("id,sentence,label\na,film,good\nb,plot,bad\n")
    written = tmp_path / "out.json"
    code = main(["--quiet", "evaluate", str(finished), str(tmp_path / "rows.csv"),
                 "--task", "sst", "--output", str(written)])  # fmt: skip
    assert code == 0
    assert [row["id"] for row in json.loads(written.read_text("utf-8"))] == ["a", "b"]
