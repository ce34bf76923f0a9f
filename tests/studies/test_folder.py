"""The folder of a study: states of its runs, which models are kept, and damage."""

import fcntl
import json

import pytest
from support.studies import write_finished

from mtbert.errors import UserError
from mtbert.runs.folder import read_summary
from mtbert.studies.folder import (
    PLANNED,
    RunStatus,
    Study,
    copy_index,
    is_finished,
    is_study,
    kept_models,
    read_places,
    run_state,
)


def test_only_the_best_models_of_a_form_and_task_are_kept(study):
    places = read_places(study)
    with_model = {p.name for p in (study / "runs").iterdir() if (p / "model").exists()}
    best = {}
    for place in places:
        for task, metrics in read_summary(study / "runs" / place.run)["dev"].items():
            key, score = (place.form, task), next(iter(metrics.values()))
            best[key] = max(best.get(key, -1), score)
    kept = {(form, task): path for form, task, path in kept_models(study)}
    assert (
        set(kept)
        == set(best)
        == {(f, t) for f in ("paper", "ours") for t in ("sst", "para", "sts")}
    )
    for (form, task), path in kept.items():
        assert next(iter(read_summary(path)["dev"][task].values())) == best[form, task]
    assert with_model == {path.name for path in kept.values()}
    assert not list((study / "runs").glob("*/checkpoints"))


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", '{"format": 1}', '{"format": 2, "experiments": {}}',
        '{"format": 1, "experiments": {"a": {"title": "a", "cells": [["f", "v", 1, "../../x"]]}}}',
        '{"format": 1, "experiments": {"a": {"title": "a", "cells": [["f", "v", "1", "x"]]}}}',
        '{"format": 1, "experiments": {"a": {"title": "a", "cells": [["f", "v"]]}}}',
        '{"format": 1, "experiments": {"a": []}}',
    ],
)  # fmt: skip
def test_a_damaged_index_is_refused(tmp_path, text):
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(UserError, match=r"study\.json: damaged"):
        read_places(tmp_path)


@pytest.fixture
def run_folder(paper_cells, tmp_path):
    """The prepared folder of one planned run."""
    return Study(tmp_path / "study").prepare(paper_cells[0].run)


def test_a_run_is_in_the_state_that_its_files_tell(run_folder):
    assert run_state(run_folder).status is RunStatus.WAITING
    assert (run_folder / PLANNED).is_file()
    (run_folder / "metrics.jsonl").touch()
    assert run_state(run_folder).status is RunStatus.INTERRUPTED
    for code, status in ((1, RunStatus.FAILED), (2, RunStatus.BROKEN)):
        (run_folder / "failed.json").write_text(json.dumps({"code": code, "reason": "why"}))
        assert (run_state(run_folder).status, run_state(run_folder).reason) == (status, "why")
    (run_folder / "failed.json").write_text("{")
    assert run_state(run_folder).reason == "failed.json is damaged"
    with (run_folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run_state(run_folder).status is RunStatus.BUSY
    write_finished(run_folder)
    assert run_state(run_folder).status is RunStatus.FINISHED
    assert is_finished(run_folder)
    next((run_folder / "predictions").iterdir()).unlink()
    assert run_state(run_folder).status is RunStatus.BROKEN
    assert "no predictions of" in run_state(run_folder).reason
    assert not is_finished(run_folder)


def test_a_broken_run_is_made_anew_and_a_failed_one_goes_on(paper_cells, run_folder):
    study = Study(run_folder.parents[1])
    for code, kept in ((1, True), (2, False)):
        (run_folder / "failed.json").write_text(json.dumps({"code": code, "reason": "why"}))
        (run_folder / "metrics.jsonl").touch()
        assert study.prepare(paper_cells[0].run) == run_folder
        assert (run_folder / "metrics.jsonl").exists() is kept
        assert not (run_folder / "failed.json").exists()


def test_an_index_is_copied_without_its_runs(study, tmp_path):
    copy_index(study, tmp_path / "copy")
    assert is_study(tmp_path / "copy")
    assert read_places(tmp_path / "copy") == read_places(study)
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["study.json"]
    with pytest.raises(UserError, match=r"not a study, no study\.json in it"):
        copy_index(tmp_path, tmp_path / "other")


def test_one_process_at_a_time_has_a_study(paper_cells, tmp_path):
    with (
        Study(tmp_path).opened(paper_cells[:1]),
        pytest.raises(UserError, match="another process is working on this study"),
    ):
        Study(tmp_path).opened(paper_cells[:1]).__enter__()
    with Study(tmp_path).opened(paper_cells[:1]):
        assert len(read_places(tmp_path)) == 1
