"""What stays of trials that have ended."""

from mtbert.studies.search.active import ENDED, tidy
from mtbert.studies.search.trials import Outcome, SearchTrial


def test_checkpoints_go_and_models_but_the_best_and_those_at_work_keep_all(tmp_path):
    names = ["best", "other", "active"]
    for name in (*names, "foreign"):
        for folder in ("model", "checkpoints", "predictions"):
            (tmp_path / name / folder).mkdir(parents=True)
    trials = [SearchTrial(i, Outcome.OPEN, {}, None, {}, name, "") for i, name in enumerate(names)]
    refused = SearchTrial(3, Outcome.FAILED, {}, None, {}, "", "refused")
    for _ in range(2):
        tidy(tmp_path, [*trials, refused], trials[0], {"active"})
    left = {name: {p.name for p in (tmp_path / name).iterdir()} for name in (*names, "foreign")}
    assert left == {
        "best": {"model", "predictions"}, "other": {"predictions"},
        "active": {"model", "checkpoints", "predictions"},
        "foreign": {"model", "checkpoints", "predictions"},
    }  # fmt: skip


def test_a_run_that_was_finished_before_has_ended():
    ENDED.send_signal(15)
    assert (ENDED.poll(), ENDED.wait()) == (0, 0)
