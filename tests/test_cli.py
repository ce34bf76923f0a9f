"""The commands: what goes to standard output and to standard error, and the exit codes."""

import io
import json
import subprocess
import sys

import pytest
import torch
from support.toy import command_line

import mtbert
from mtbert.cli import exit_code, main
from mtbert.errors import ReportedElsewhere, TrainingError, UserError
from mtbert.training import run as run_module


@pytest.fixture(autouse=True)
def clean(tmp_path):
    with command_line(tmp_path):
        yield


def summary_of(run):
    return json.loads((run / "summary.json").read_text("utf-8"))


def strict(text):
    """JSON as other readers take it: without NaN."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_quiet_leaves_only_warnings(toy, tmp_path, call):
    config = toy.config(tmp_path / "c.yaml", "sts")
    code, out, err = call("--quiet", "train", config, "training.epochs=1")
    assert code == 0
    assert "sts" in out
    assert err.startswith("task sts: has learned nothing: all 10 dev rows get about 2.")
    assert err.count("\n") == 1


def test_evaluate_gives_the_summarys_scores_as_json_and_as_a_table(finished, call):
    code, out, _ = call("evaluate", finished, "--json")
    assert code == 0
    found, summary = strict(out), summary_of(finished)
    for task, metrics in summary["dev"].items():
        assert found["dev"][task] == pytest.approx(metrics)
    assert found["overall"] == pytest.approx(summary["overall"])
    code, out, _ = call("evaluate", finished)
    assert code == 0
    assert f"overall {summary['overall']:.4f}, mean {summary['mean']:.4f}" in out
    code, out, _ = call("evaluate", finished, "--split", "train")
    assert code == 0
    listed = {line.split()[0] for line in out.splitlines()[2:] if line.strip()}
    assert {"sst", "para", "sts"} <= listed


def test_evaluate_prints_json_though_a_correlation_is_undefined(toy, finished, tmp_path, call):
    constant = tmp_path / "constant.csv"
    constant.write_text("sentence1,sentence2,label\na,b,2\nc,d,2\n")
    config = (finished / "config.yaml").read_text("utf-8")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model").symlink_to(finished / "model")
    (tmp_path / "run" / "config.yaml").write_text(config.replace("sts-dev.csv", str(constant)))
    code, out, _ = call("evaluate", "run", "--json")
    assert code == 0
    found = strict(out)["dev"]["sts"]
    assert (found["pearson"], found["spearman"]) == (None, None)
    code, out, _ = call("evaluate", "run")
    assert code == 0
    assert "undefined" in out


ROWS = "id,sentence\nr1,the good film\nr2,a cat\n"


def test_predict_answers_a_file_and_standard_input(finished, tmp_path, call, monkeypatch):
    (tmp_path / "rows.csv").write_text(ROWS)
    code, out, err = call("predict", finished, "--task", "sst", "rows.csv")
    assert code == 0
    assert err.startswith("2 rows: 2 answered; ")
    answers = [strict(line) for line in out.splitlines()]
    assert [a["id"] for a in answers] == ["r1", "r2"]
    assert set(answers[0]["probabilities"]) == {"bad", "good"}
    stdin = type("Stdin", (), {"buffer": io.BytesIO(ROWS.encode())})
    monkeypatch.setattr("sys.stdin", stdin)
    assert call("predict", finished, "--task", "sst", "-")[:2] == (0, out)
    assert call("--quiet", "predict", finished, "--task", "sst", "rows.csv") == (0, out, "")
    code, nothing, _ = call("predict", finished, "--task", "sst", "rows.csv", "--output", "o")
    assert (code, nothing) == (0, "")
    assert (tmp_path / "o").read_text("utf-8") == out


def test_predict_leaves_an_older_output_alone_when_a_row_is_bad(finished, tmp_path, call):
    (tmp_path / "rows.csv").write_text(ROWS + "r3\n")
    (tmp_path / "out.jsonl").write_text("old")
    code, _, err = call("predict", finished, "--task", "sst", "rows.csv", "--output", "out.jsonl")
    assert code == 2
    assert "rows.csv:4: found 1 columns" in err
    assert (tmp_path / "out.jsonl").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.jsonl", "rows.csv"]


def test_data_check_reports_on_configurations_and_files(toy, tmp_path, call):
    config = toy.config(tmp_path / "c.yaml", "sst")
    code, out, _ = call("data", "check", config)
    assert code == 0
    assert "16 examples, 0 bad rows" in out
    code, out, err = call("data", "check", config, "--set", "tasks.sst.labels=[bad, fine]")
    assert code == 2
    assert "8 bad rows" in out
    assert "mtbert: train would refuse these data" in err
    files = [toy.folder / "sst-dev.csv", toy.folder / "sts-dev.csv"]
    code, out, _ = call("data", "check", *files)
    assert code == 0
    assert f"{files[1]}: 10 rows, columns: id, sentence1, sentence2, label" in out


def test_convert_writes_safetensors_beside_the_old_file(tmp_path, call):
    torch.save({"a": torch.ones(2), "b": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    code, out, _ = call("convert", "pytorch_model.bin")
    assert code == 0
    assert out.startswith("model.safetensors: 2 tensors\n")
    assert (tmp_path / "model.safetensors").is_file()


def test_report_names_what_it_wrote(finished, tmp_path, call):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "one").symlink_to(finished)
    for name in ("summary.json", "metrics.jsonl"):
        (tmp_path / "runs" / name).write_bytes((finished / name).read_bytes())
    code, out, _ = call("report", "runs")
    assert code == 0
    assert out.splitlines()[0] == "runs/report.html"
    assert "<html" in (tmp_path / "runs" / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyboardInterrupt(), "mtbert: runs/c: stopped; go on with:\n  "),
        (
            run_module.Interrupted("r: stopped; go on with --resume"),
            "mtbert: runs/c: stopped; go on with:\n  ",
        ),
    ],
)
def test_an_interruption_gives_130(toy, tmp_path, call, monkeypatch, error, told):
    def interrupted(*args, **kwargs):
        raise error

    monkeypatch.setattr(run_module, "train", interrupted)
    code, _, err = call("train", toy.config(tmp_path / "c.yaml"))
    assert code == 130
    assert err.startswith(told)


def test_a_mistake_of_ours_is_not_hidden(toy, tmp_path, call, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(run_module, "train", broken)
    with pytest.raises(ZeroDivisionError):
        call("train", toy.config(tmp_path / "c.yaml"))


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_are_printed(capsys, argument):
    with pytest.raises(SystemExit) as stop:
        main([argument])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert mtbert.__version__ in out if argument == "--version" else "predict" in out


def test_help_does_not_import_torch():
    code = (
        "import runpy, sys\n"
        "sys.argv = ['mtbert', '--help']\n"
        "try:\n"
        "    runpy.run_module('mtbert', run_name='__main__')\n"
        "except SystemExit as stop:\n"
        "    assert stop.code == 0\n"
        "assert 'mtbert.cli' in sys.modules\n"
        "sys.exit(3 if {'torch', 'numpy', 'transformers'} & set(sys.modules) else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: mtbert" in done.stdout


def test_a_reader_that_goes_away_ends_predict_without_a_traceback(finished, tmp_path):
    rows = "".join(f"r{i},the good film\n" for i in range(5000))
    (tmp_path / "rows.csv").write_text("id,sentence\n" + rows)
    command = [sys.executable, "-m", "mtbert", "predict", str(finished), "--task", "sst"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, "rows.csv"], **pipes) as process:
        assert json.loads(process.stdout.readline())["id"] == "r0"
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 1
    assert err == ""


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UserError("wrong"), 2, "mtbert: wrong\n"),
        (TrainingError("stuck"), 1, "mtbert: stuck\n"),
        (ReportedElsewhere(2), 2, ""),
        (KeyboardInterrupt(), 130, "mtbert: interrupted\n"),
        (None, 0, ""),
    ],
)
def test_each_kind_of_end_has_its_exit_code(capsys, error, code, told):
    def run():
        if error is not None:
            raise error

    assert exit_code(run) == code
    assert capsys.readouterr().err == told
    with pytest.raises(ZeroDivisionError):
        exit_code(lambda: 1 // 0)
