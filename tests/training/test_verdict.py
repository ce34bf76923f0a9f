import pytest

from mtbert.config.tasks import TaskSettings
from mtbert.runs.state import State
from mtbert.training.phases.base import Phase
from mtbert.training.verdict import learned_nothing


def phase(name, **changes):
    fields = {
        "epochs": 2, "spec": None, "trains_encoder": True, "trains_own": True,
        "learning_rate": 2e-5, "head_learning_rate": 1e-3, "prepare": None,
    }  # fmt: skip
    return Phase(name=name, **(fields | changes))


TASKS = {
    "queue": TaskSettings(kind="classification", labels=("a", "b"), train="a.csv"),
    "year": TaskSettings(kind="regression", target="raw", train="a.csv"),
    "even": TaskSettings(kind="regression", train="a.csv"),
    "bounded": TaskSettings(
        kind="regression", loss="binary_cross_entropy", range=(0, 5), train="a.csv"
    ),
}
HEADS = phase("heads", trains_encoder=False, trains_own=False)


@pytest.mark.parametrize(
    ("state", "causes"),
    [
        ({"step": 15}, ["learning rates too low (encoder", "too few steps (15)"]),
        ({"step": 5000}, ["learning rates too low"]),
        (
            {"step": 15, "told_dominant": "urgency"},
            ["the gradient of task urgency drowns", "learning rates", "too few steps"],
        ),
        ({"step": 500, "told_dominant": "queue"}, ["learning rates too low"]),
    ],
)
def test_a_task_with_one_answer_is_told_with_likely_causes(state, causes):
    found = State(best_one_answer={"queue": "all 34 dev rows get 'billing'"}, **state)
    (message,) = learned_nothing(found, [phase("all")], TASKS)
    begin, _, likely = message.partition(". Likely causes: ")
    assert begin == "task queue: has learned nothing: all 34 dev rows get 'billing'"
    parts = likely.split("; ")
    assert len(parts) == len(causes) + 1
    assert all(part.startswith(cause) for part, cause in zip(parts, causes, strict=False))


@pytest.mark.parametrize(
    ("phases", "rates"),
    [
        ([phase("all")], "encoder 2e-05, heads 0.001"),
        ([HEADS], "heads 0.001"),
        ([HEADS, phase("all")], "heads 0.001, then encoder 2e-05, heads 0.001"),
    ],
)
def test_the_rates_of_all_phases_are_told(phases, rates):
    (message,) = learned_nothing(State(step=500, best_one_answer={"queue": "one"}), phases, TASKS)
    assert f"learning rates too low ({rates});" in message


def test_nothing_is_said_of_tasks_that_have_learned():
    assert learned_nothing(State(), [phase("all")], TASKS) == []


def test_a_raw_target_is_the_first_of_the_causes():
    alike = dict.fromkeys(("year", "even", "bounded"), "all 9 dev rows get about 3")
    raw, *others = learned_nothing(State(best_one_answer=alike), [phase("all")], TASKS)
    assert "causes: a raw target far from 0: `tasks.year.target: standardised`; learning" in raw
    assert all("causes: learning rates" in other for other in others)
