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
