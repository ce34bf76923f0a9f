"""`mtbert leaderboard`: the six files, from the best run of each task."""

import json
import math
import os
import shutil
from pathlib import Path

import pytest

from mtbert.commands.leaderboard import write_leaderboard
from mtbert.errors import UserError
from mtbert.inference.leaderboard import LEADERBOARD

FOLDER = Path(os.environ.get("MTBERT_DATA") or Path(__file__).parents[3] / "shared" / "data")


def summary_of(run):
    return json.loads((run / "summary.json").read_text("utf-8"))


def read_jsonl(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def course(toy, tmp_path):
    """A folder with the toy's data under the course's names."""
    folder = tmp_path / "course"
    folder.mkdir()
    for name, task in LEADERBOARD.items():
        shutil.copy(toy.folder / f"{name}-dev.csv", folder / task.dev)
        lines = (toy.folder / f"{name}-train.csv").read_text("utf-8").splitlines()
        cut = [line.rpartition(",")[0] for line in lines]
        (folder / task.test).write_text("\n".join(cut) + "\n", "utf-8")
    return folder


def test_the_six_files_hold_every_row_in_order(finished, course, tmp_path):
    output = tmp_path / "out"
    *told, overall = write_leaderboard([finished], course, output)
    assert overall.startswith("overall on dev: 0.")
    assert sorted(p.name for p in output.iterdir()) == sorted(
        f"{n}-{s}-output.csv" for n in LEADERBOARD for s in ("dev", "test")
    )
    assert len(told) == 6
    for name, task in LEADERBOARD.items():
        for split in ("dev", "test"):
            text = (output / f"{name}-{split}-output.csv").read_text("utf-8")
            header, *lines = text.splitlines(keepends=True)
            assert header == f"id \t Predicted_{task.title} \n"
            source = (course / getattr(task, split)).read_text("utf-8").splitlines()[1:]
            cells = [line.removesuffix(" \n").split(" , ") for line in lines]
            assert [c[0] for c in cells] == [line.split(",")[0] for line in source]
            assert all(line == f"{a} , {b} \n" for line, (a, b) in zip(lines, cells, strict=True))
            spelled = {"sst": ("0", "1"), "para": ("0.0", "1.0")}
            assert all(b in spelled.get(name, b) and float(b) is not None for _, b in cells)


def test_values_are_those_of_the_runs_own_predictions(finished, course, tmp_path):
    write_leaderboard([finished], course, tmp_path)
    for name in LEADERBOARD:
        stored = read_jsonl((finished / "predictions" / f"{name}-dev.jsonl").read_text("utf-8"))
        lines = (tmp_path / f"{name}-dev-output.csv").read_text("utf-8").splitlines()[1:]
        values = [float(line.split(" , ")[1]) for line in lines]
        assert values == pytest.approx([row["prediction"] for row in stored], rel=1e-4)


def test_bad_dev_rows_are_left_out_and_counted_and_bad_test_rows_refused(
    finished, course, tmp_path
):
    with (course / "quora-dev.csv").open("a") as stream:
        stream.write("blank,a cat,a dog,\n")
    told = write_leaderboard([finished], course, tmp_path / "a")
    (line,) = [line for line in told if "para-dev" in line]
    assert "6 rows" in line
    assert "1 bad rows left out" in line
    assert "blank" not in (tmp_path / "a" / "para-dev-output.csv").read_text("utf-8")
    with (course / "sts-test-student.csv").open("a") as stream:
        stream.write("short\n")
    with pytest.raises(UserError, match=r"sts-test-student\.csv:22: found 1 columns"):
        write_leaderboard([finished], course, tmp_path / "b")
    assert not list((tmp_path / "b").glob("*"))


def test_each_task_comes_from_the_run_that_is_best_on_dev(finished, course, tmp_path):
    runs = [tmp_path / "one", tmp_path / "two"]
    for run, scores in zip(runs, ((0.9, 0.1, None), (0.2, 0.8, -0.5)), strict=True):
        shutil.copytree(finished, run)
        summary = summary_of(run)
        for (task, metrics), score in zip(summary["dev"].items(), scores, strict=True):
            summary["dev"][task] = dict.fromkeys(metrics, score)
        (run / "summary.json").write_text(json.dumps(summary))
    *told, overall = write_leaderboard(runs, course, tmp_path / "out")
    sources = {Path(line.split(":")[0]).name: line.split(" from ")[1] for line in told}
    assert sources["sst-dev-output.csv"].startswith(f"{runs[0]} (dev 0.9000)")
    assert sources["para-test-output.csv"].startswith(f"{runs[1]} (dev 0.8000)")
    sts = next(line for line in told if "sts-dev" in line)
    score = float(sts.split("(dev ")[1].split(")")[0])
    assert overall == f"overall on dev: {(0.9 + 0.8 + (score + 1) / 2) / 3:.4f}"


def test_missing_runs_tasks_and_files_are_refused_before_anything_is_written(
    toy, finished, course, tmp_path
):
    output = tmp_path / "out"
    with pytest.raises(UserError, match="not a finished run"):
        write_leaderboard([tmp_path / "none"], course, output)
    toy.train(tmp_path / "small", "sst", training={"epochs": 1})
    with pytest.raises(UserError, match="none of the runs has the task 'para'"):
        write_leaderboard([tmp_path / "small"], course, output)
    (course / "sts-test-student.csv").unlink()
    with pytest.raises(UserError, match=r"sts-test-student\.csv: no such file"):
        write_leaderboard([finished], course, output)
    assert not output.exists()


@pytest.mark.skipif(
    not (FOLDER / "ids-sst-dev.csv").is_file(),
    reason=f"no course data in {FOLDER}; set MTBERT_DATA to its folder",
)
def test_the_courses_own_files_are_answered_row_by_row(toy, tmp_path):
    tree = toy.tree()
    for name, column in (("sst", "sentiment"), ("para", "is_duplicate"), ("sts", "similarity")):
        task = tree["tasks"][name]
        for split in ("train", "dev"):
            source = (FOLDER / LEADERBOARD[name].dev).read_text("utf-8").splitlines()
            task[split] = str(tmp_path / f"{name}-{split}.csv")
            Path(task[split]).write_text("\n".join(source[:9]) + "\n", "utf-8")
        task |= {"columns": {"label": column}, "test": None}
    tree["tasks"]["sst"]["labels"] = list("01234")
    toy.train(tmp_path / "run", tasks=tree["tasks"], training={"epochs": 1})
    *told, _ = write_leaderboard([tmp_path / "run"], FOLDER, tmp_path / "out")
    for name, task in LEADERBOARD.items():
        for split in ("dev", "test"):
            lines = (tmp_path / "out" / f"{name}-{split}-output.csv").read_text().splitlines()
            ids = [line.split(" , ")[0] for line in lines[1:]]
            rows = (FOLDER / getattr(task, split)).read_text("utf-8").splitlines()[1:]
            place = (FOLDER / getattr(task, split)).open(encoding="utf-8")
            with place:
                position = place.readline().rstrip("\n").split("\t").index("id")
            expected = [row.split("\t")[position] for row in rows]
            left_out = [i for i in expected if i not in set(ids)]
            assert ids == [i for i in expected if i in set(ids)]
            assert len(left_out) == (1 if (name, split) == ("para", "dev") else 0)
            assert any("1 bad rows left out" in t for t in told) == (len(told) == 6)
            assert all(math.isfinite(float(line.split(" , ")[1])) for line in lines[1:])
