"""The small tasks of our own: their files, what is judged about them, and going on after a stop."""

import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.own_tasks import measure
from benchmarks.own_tasks.data_sets import DATA_SETS, make
from benchmarks.own_tasks.grammar import Grammar, flipped
from benchmarks.own_tasks.jobs import JOINT, jobs_of, outdated
from benchmarks.own_tasks.records import Records
from benchmarks.own_tasks.table import write
from benchmarks.own_tasks.verdicts import (
    Score,
    best_of_sweep,
    compare,
    rows_of,
    summary_of,
    table_of,
)
from mtbert.config.load import data_file, parse_settings
from mtbert.data.examples import read_examples


@pytest.fixture(scope="module", params=list(DATA_SETS))
def written(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    data = make(request.param)
    if not all(table.rows for table in data.tables.values()):
        pytest.skip("needs the course's data")
    write(data, folder)
    return data, folder


def test_every_row_can_be_read_and_every_class_is_trained(written):
    data, folder = written
    settings = parse_settings(data.configuration(folder), data.name)
    for name, task in settings.tasks.items():
        shared = settings.shares_file(task.train)
        sizes = {}
        for part, file in {"train": task.train, **task.dev_files}.items():
            found = read_examples(data_file(settings, file), task, blank_is_unlabelled=shared)
            assert not found.left_out.problems
            sizes[part] = len(found.examples)
            if part == "train" and task.kind.is_classification:
                labels = {example.label for example in found.examples}
                assert labels == set(range(len(task.class_names))), name
        assert 70 <= sizes["train"] <= 3000
        assert min(sizes.values()) >= 25


def test_a_data_set_is_the_same_at_every_call_and_its_parts_do_not_overlap(written):
    data, _ = written
    again = make(data.name)
    for name, table in data.tables.items():
        assert table == again.tables[name]
        parts = [table.part(part) for part in ("train", "dev", "test")]
        assert [row for part in parts for row in part] == list(table.rows)
        assert [len(part) for part in parts[1:]] == [table.dev, table.test]


def test_the_kinds_of_jobs_that_are_promised_are_there():
    ours = [make(name) for name in DATA_SETS if name != "course"]
    fields = [task for data in ours for task in data.tasks.values()]
    classes = [len(task["labels"]) for task in fields if "labels" in task]
    assert (min(classes), max(classes)) == (2, 77)
    ranges = {tuple(task["range"]) for task in fields if "range" in task}
    assert ranges == {(0, 1), (0, 10), (1, 5), (1900, 2100)}
    assert {task["kind"] for task in fields} == {
        "classification", "regression", "pair_classification", "pair_regression"
    }  # fmt: skip
    assert {table.kind for data in ours for table in data.tables.values()} == {
        "csv", "tsv", "jsonl"
    }  # fmt: skip


def test_a_grammar_expands_rules_and_alternatives():
    class Last:
        def choice(self, options):
            return options[-1]

    grammar = Grammar({"who": ["you", "we {verb}"], "verb": ["run", "sing"]}, Last())
    assert grammar.say("{who} [now|today] . {x}", x="fine") == "We sing today. Fine"


def test_labels_are_wrong_as_often_as_they_should():
    from random import Random

    random = Random(3)
    wrong = sum(flipped("a", "abc", random, 0.1) != "a" for _ in range(20_000))
    assert stats.binomtest(wrong, 20_000, 0.1).pvalue > 0.001


def test_errors_are_those_of_seeds_and_rows():
    score = Score([0.7, 0.8, 0.75], rows=200, accuracy=True)
    assert score.seeds_error == pytest.approx(stats.sem(score.values))
    assert score.rows_error == pytest.approx(math.sqrt(0.75 * 0.25 / 200))
    assert score.error == pytest.approx(np.hypot(score.seeds_error, score.rows_error))
    rng = np.random.default_rng(0)  # the error of a correlation, beside simulated ones
    draws = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=(4000, 150))
    simulated = np.std([np.corrcoef(draw.T)[0, 1] for draw in draws])
    assert Score([0.8], 150, False).rows_error == pytest.approx(simulated, rel=0.1)


def test_a_joint_run_may_be_one_standard_error_below():
    joint, other = Score([0.75] * 3, 300, True), Score([0.77] * 3, 300, True)
    error, fine = compare(joint, other)
    assert fine
    assert error == pytest.approx(0.025)
    assert not compare(joint, Score([0.776] * 3, 300, True))[1]


def run(job, seed, score, dev=0.5):
    tasks = dict.fromkeys(make("chats").tasks, score)
    return {
        "job": job, "seed": seed, "test": tasks, "dev": dict.fromkeys(tasks, dev), "epochs": 9,
        "seconds": 1.0, "select": "balanced", "of_equal": "last",
        "machine": {"processor": "P", "threads": 1, "computes_bf16": True},
    }  # fmt: skip


def test_the_best_of_the_sweep_is_chosen_on_dev():
    runs = [run("joint", 1, 0.8), run("sweep a", 1, 0.9, dev=0.4), run("sweep b", 1, 0.7, dev=0.6)]
    runs += [run(f"alone {task}", 1, 0.95) for task in make("chats").tasks]
    row = rows_of("chats", runs)[0]
    assert (row["best"], row["sweep"].mean) == ("sweep b", 0.7)
    assert "0 of 3 tasks" in summary_of({"chats": runs})
    assert table_of({"chats": runs}, "github").count("| no ") == 3


def test_the_joint_run_is_a_point_of_the_sweep_and_seeds_that_all_points_have_choose():
    runs = [run("joint", 1, 0.8, dev=0.6), run("sweep a", 1, 0.9, dev=0.5)]
    runs += [run("joint", 2, 0.8, dev=0.1), run("sweep a", 2, 0.9, dev=0.5), run("sweep b", 1, 0.7)]
    assert best_of_sweep(runs, "tone") == "joint"
    runs += [run("sweep b", 2, 0.7, dev=0.4)]
    assert best_of_sweep(runs, "tone") == "sweep a"
    assert best_of_sweep(runs[:1], "tone") is None


def test_a_run_that_chose_otherwise_is_made_again_and_told(tmp_path):
    old = [run("joint", 1, 0.8), run("alone tone", 1, 0.8), run("before", 1, 0.8)]
    old[0]["select"] = "sum"
    del old[1]["of_equal"]
    del old[2]["of_equal"]
    assert [outdated(record) for record in old] == [True, True, False]
    assert not outdated(run("joint", 1, 0.8))
    assert "2 of them" in summary_of({"chats": old})
    records = Records(tmp_path, "chats")
    for record in (*old, run("joint", 1, 0.9)):
        records.add(record)
    kept = Records(tmp_path, "chats").runs
    assert [r["job"] for r in kept] == ["alone tone", "before", "joint"]
    assert kept[-1]["select"] == "balanced"


def test_a_correlation_of_equal_answers_is_told():
    before = [run("before", seed, math.nan) for seed in (1, 2)]
    assert "one answer" in table_of({"chats": before})


def test_what_is_recorded_is_not_run_again(tmp_path, monkeypatch):
    taken = []

    def take(job, data, folder, seed, epochs):
        taken.append((job.name, seed, epochs))
        if len(taken) == 5:
            raise KeyboardInterrupt
        return run(job.name, seed, 0.5, dev=0.6 if job.name == best else 0.5)

    jobs = [job.name for job in jobs_of(make("chats"))]
    best = jobs[-1]
    monkeypatch.setattr(measure, "take", take)
    monkeypatch.setattr(measure, "RECORDS", tmp_path)
    with pytest.raises(KeyboardInterrupt):
        measure.measure(["chats"], [1, 2])
    measure.measure(["chats"], [1, 2])
    again = [name for name in jobs if not name.startswith("sweep") and name != "frozen"]
    # the linear model has no seed, and of the sweep the point goes on that the first seed chose
    assert [name for name, seed, _ in taken if seed == 2] == [*again, best]
    assert len(taken) == 1 + len(jobs) + len(again) + 1
    assert {epochs for name, _, epochs in taken if name.startswith("sweep")} == {9}
    kept = Records(tmp_path, "chats").runs
    assert [(r["job"], r["seed"]) for r in kept[: len(jobs)]] == [(job, 1) for job in jobs]
    assert JOINT in jobs
