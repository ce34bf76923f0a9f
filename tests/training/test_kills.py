"""Runs that are killed by SIGKILL, wherever it may be, end bit for bit as one left alone."""

import functools
import itertools
import random
import shutil
import time

import pytest
from support.kills import INEXACT, KILLED, UNSAFE, Child, server
from support.toy import TASKS, results

from mtbert.errors import UserError
from mtbert.methods.aggregation.table import AGGREGATORS
from mtbert.methods.sampling.table import SAMPLERS
from mtbert.methods.weighting.table import WEIGHTINGS
from mtbert.runs.folder import RunFolder
from mtbert.runs.provenance import Provenance

CHANGES = {
    "tasks": {"sst": TASKS["sst"], "sts": TASKS["sts"] | {"target": "popart"}},
    "training": {
        "steps_per_epoch": 3,
        "checkpoint_every": 2,
        "surgery": "gradvac",  # random orders and a memory
        "schedule": "linear",
        "average": 0.9,
        "deterministic": True,
    },
}
"""Two epochs; each of the three checkpoints but the first replaces the one before."""

PLACES = [
    "os.rename .config.yaml.partial → config.yaml",
    "half a line of metrics.jsonl",
    "update",
    "evaluation",
    "os.rename predictions/.sts-dev.jsonl.partial → predictions/sts-dev.jsonl",
    "half of checkpoints/.step-N.partial/weights.safetensors",
    "half of checkpoints/.step-N.partial/best.safetensors",
    "half of checkpoints/.step-N.partial/average.safetensors",
    "os.rename checkpoints/.step-N.partial/.manifest.json.partial → "
    "checkpoints/.step-N.partial/manifest.json",
    "os.rename checkpoints/.step-N.partial → checkpoints/step-N",
    "fsync checkpoints",
    "os.rename checkpoints/step-N → checkpoints/.step-N.partial",
    "os.remove checkpoints/.step-N.partial/weights.safetensors",
    "half of .model.partial/model.safetensors",
    "os.rename .model.partial → model",
    "os.rename .summary.json.partial → summary.json",
]
"""Points of the short suite, each the moment before what it names; the long one takes them all."""

SAVED = "fsync checkpoints"  # what follows the rename of a new checkpoint


class Reference:
    """The run that is left alone, and the comparison of another one with it."""

    def __init__(self, toy, folder, changes):
        self.toy, self.changes = toy, changes
        self.child = self.go_on(folder / "whole")
        assert self.child.code == 0
        self.results = results(folder / "whole")
        self.steps = {step: rest for step, *rest in self.child.steps}
        assert list(self.steps) == list(range(1, len(self.child.steps) + 1))

    def go_on(self, output, **how):
        return Child(self.toy, output, self.changes, **how)

    def assert_equal(self, output, children):
        """Weights, moments, scores, logs, and the examples and rates of every attempt's steps."""
        assert children[-1].code == 0
        for name, value in results(output).items():
            equal = value == self.results[name]
            assert equal, name  # pytest would look for the differences for minutes
        trained = {}
        for child in children:
            for step, *rest in child.steps:
                same = rest == self.steps[step]
                assert same, step
                trained[step] = rest
        assert trained.keys() == self.steps.keys()
        assert left_over(output) == []

    def indices(self, name):
        return [i for i, event in enumerate(self.child.events) if event == name]

    def second(self, name):
        """The second time that a point is reached, when there is an old state; or the only one."""
        return self.indices(name)[:2][-1]


def left_over(output):
    return [str(path) for path in output.rglob("*.partial")]


@pytest.fixture(scope="module")
def reference(toy, tmp_path_factory):
    return Reference(toy, tmp_path_factory.mktemp("kills"), CHANGES)


@pytest.mark.parametrize("place", PLACES)
def test_a_run_killed_at_a_write_point_ends_as_one_left_alone(reference, tmp_path, place):
    killed = reference.go_on(tmp_path / "run", at=reference.second(place))
    assert killed.code == KILLED
    assert killed.events[-1] == place
    resumed = reference.go_on(tmp_path / "run")
    reference.assert_equal(tmp_path / "run", [killed, resumed])
    saved = reference.indices(SAVED)
    if reference.second(place) > saved[0]:
        assert resumed.steps == [] or resumed.steps[0][0] > 1  # not all is lost


def test_a_run_killed_at_random_moments_ends_as_one_left_alone(reference, tmp_path):
    assert kill_at_random(reference, tmp_path / "run", 5, random.Random(1)) == 5


def kill_at_random(reference, output, kills, source):
    """Kill a run and its resumes so many times, then let it end; returns how often it was killed.

    The moments are spread over what is left; a run that ends before its kill begins once more in
    another folder, so that every kill asked for happens.
    """
    killed, children = 0, []
    while True:
        after = source.uniform(0.01, 0.6 * reference.child.seconds) if killed < kills else None
        children.append(reference.go_on(output, after=after))
        if children[-1].code == KILLED:
            killed += 1
            continue
        reference.assert_equal(output, children)
        if killed == kills:
            return killed
        children, output = [], output.with_name(output.name + "+")


HALF = "half of checkpoints/.step-N.partial/moments.safetensors"


@pytest.mark.parametrize("sabotage", INEXACT)
def test_a_resume_that_is_not_exact_is_found(reference, tmp_path, sabotage):
    """The negative control: each thing that may be wrong must fail the comparison."""
    killed = reference.go_on(tmp_path / "run", at=reference.second(HALF))
    resumed = reference.go_on(tmp_path / "run", sabotage=sabotage)
    assert (killed.code, resumed.code) == (KILLED, 0)
    with pytest.raises(AssertionError):
        reference.assert_equal(tmp_path / "run", [killed, resumed])


def test_checkpoints_that_are_not_safe_are_found(toy, tmp_path):
    """The other control: where the old one goes before the new one is there, a kill loses both."""
    watched = Child(toy, tmp_path / "whole", CHANGES, sabotage=UNSAFE)
    at = watched.events.index(HALF, watched.events.index(HALF) + 1)
    killed = Child(toy, tmp_path / "run", CHANGES, at=at, sabotage=UNSAFE)
    resumed = Child(toy, tmp_path / "run", CHANGES)
    assert (watched.code, killed.code, resumed.code) == (0, KILLED, 0)
    assert resumed.steps[0][0] == 1  # all is lost, for it begins anew


PROVENANCE = Provenance({}, {})


def hold(folder, settings, ready):
    """The child: work on a run, so to speak."""
    run = RunFolder(folder, settings, PROVENANCE, resume=True)
    ready.set()
    time.sleep(600)
    run.close()


def test_the_lock_of_a_killed_process_dies_with_it(toy, tmp_path):
    ready = server().Event()
    holder = server().Process(target=hold, args=(tmp_path / "run", toy.settings(), ready))
    holder.start()
    try:
        assert ready.wait(60)
        for resume in (False, True):
            told = "another process is working" if resume else "holds a run already"
            with pytest.raises(UserError, match=told):
                RunFolder(tmp_path / "run", toy.settings(), PROVENANCE, resume=resume)
    finally:
        holder.kill()
        holder.join()
    RunFolder(tmp_path / "run", toy.settings(), PROVENANCE, resume=True).close()


@pytest.mark.long
def test_killed_at_every_single_event(reference, tmp_path, record_property):
    """Every occurrence of every write point, whether it is known by name or not."""
    for at, event in enumerate(reference.child.events):
        output = tmp_path / f"run{at}"
        killed = reference.go_on(output, at=at)
        assert (killed.code, killed.events[-1]) == (KILLED, event)
        reference.assert_equal(output, [killed, reference.go_on(output)])
        shutil.rmtree(output)
    record_property("kills", len(reference.child.events))


@pytest.mark.long
def test_killed_at_every_single_event_of_a_resume(reference, tmp_path, record_property):
    """A run is killed once, and its resume at each of its own points."""
    first = reference.second(HALF)
    for at in itertools.count():
        output = tmp_path / f"run{at}"
        children = [reference.go_on(output, at=first), reference.go_on(output, at=at)]
        if children[1].code == 0:
            assert at > 100
            record_property("kills", 2 * at)
            return
        reference.assert_equal(output, [*children, reference.go_on(output)])
        shutil.rmtree(output)


MEMBERS = [
    *({"weighting": kind().name} for kind in WEIGHTINGS),
    *({"batching": kind().name} for kind in SAMPLERS),
    *({"surgery": kind().name} for kind in AGGREGATORS),
    *({"batching": "sequential", "surgery": k().name} for k in AGGREGATORS if k.takes_references),
]


@pytest.mark.long
@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: "-".join(member.values()))
def test_a_run_with_any_method_ends_after_kills_as_one_left_alone(toy, tmp_path, member):
    training = {"surgery": "pcgrad", "deterministic": True, "epochs": 3, "checkpoint_every": 2}
    reference = Reference(toy, tmp_path, {"training": {**training, **member}})
    assert kill_at_random(reference, tmp_path / "run", 3, random.Random(1)) == 3


AXES = {
    "mode": ["finetune", "heads_first", "frozen"],
    "batching": ["method1", "method2", "method3", "continued"],
    "surgery": ["none", "pcgrad"],
    "accumulate": [1, 2],
    "precision": ["fp32", "bf16"],
    "schedule": ["constant", "linear", "cosine"],
    "patience": [None, 1],
    "group_by_length": [False, True],
    "checkpoint_every": [None, 1, 2],
    "evaluate_every": [None, 2],
    "clip": [None, 0.5],
    "average": [None, 0.9],
}
CHAINS, KILLS = 40, 5


@functools.cache
def combinations():
    """Configurations in which every pair of values of two axes occurs that can occur."""
    source = random.Random(0)
    chosen = [{axis: source.choice(values) for axis, values in AXES.items()} for _ in range(CHAINS)]
    for values in chosen:
        if values["mode"] == "frozen":
            values["surgery"] = "none"
    return chosen


def test_the_chains_cross_every_two_values():
    wanted = {
        ((a, x), (b, y))
        for (a, xs), (b, ys) in itertools.combinations(AXES.items(), 2)
        for x, y in itertools.product(xs, ys)
    } - {(("mode", "frozen"), ("surgery", "pcgrad"))}
    found = {
        pair for values in combinations() for pair in itertools.combinations(values.items(), 2)
    }
    assert wanted <= found


@pytest.mark.long
@pytest.mark.parametrize("number", range(CHAINS))
def test_a_chain_of_five_random_kills_ends_as_one_left_alone(
    toy, tmp_path, number, record_property
):
    """40 chains of five: 200 kills at random moments."""
    training = dict(combinations()[number])
    mode = training.pop("mode")
    changes = {
        "encoder": {"mode": mode, "heads_first_epochs": 1},
        "training": {**training, "deterministic": True, "warmup": 0.2, "epochs": 3},
        "seed": number,
    }
    reference = Reference(toy, tmp_path, changes)
    assert kill_at_random(reference, tmp_path / "run", KILLS, random.Random(number)) == KILLS
    record_property("kills", KILLS)
