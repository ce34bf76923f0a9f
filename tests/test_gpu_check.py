"""The check for GPUs: its runner, and all of it in miniature on the processor."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support import gpu_steps
from support.gpu_steps import step
from support.toy import write_encoder

from benchmarks.gpu import bundle, correctness, material, profiles, science, size, speed, switches
from benchmarks.gpu.context import MINIATURE, CheckFailed, Context, Skipped
from benchmarks.gpu.runner import Runner
from benchmarks.gpu.steps import STEPS

ROOT = Path(__file__).parents[1]
SPAWNED = "cuda"
"""For the runner a device means how processes are made; steps that compute nothing need no GPU."""


@pytest.fixture
def check(tmp_path):
    """Run steps; returns the exit code and what stands in the results by step."""

    def run(*steps, minutes=5.0, work="work", **options):
        context = Context(SPAWNED, True, tmp_path / work)
        code = Runner(context, tmp_path / "results", minutes).run(steps, **options)
        found = json.loads((tmp_path / "results" / "gpu-check.json").read_text("utf-8"))
        return code, found["steps"]

    return run


# The runner


def test_a_failing_step_is_recorded_and_the_next_one_runs(check):
    code, found = check(step(gpu_steps.half), step(gpu_steps.crash), step(gpu_steps.good))
    assert code == 0  # nothing of correctness has failed
    assert found["half"]["status"] == "failed"
    assert found["half"]["reason"] == "ValueError: a defect"
    assert "Traceback" in found["half"]["output"]
    assert found["half"]["figures"] == {"found": "one half"}
    assert found["crash"]["status"] == "failed"
    assert "code 7" in found["crash"]["reason"]
    assert "last words" in found["crash"]["output"]
    assert found["good"] | {"date": "", "seconds": 0, "limit": 0} == {
        "kind": "speed", "status": "done", "seconds": 0, "limit": 0, "date": "", "card": None,
        "figures": {"value": 1.0},
    }  # fmt: skip


def test_a_step_above_its_limit_is_recorded_with_what_it_has_found(check):
    code, found = check(step(gpu_steps.slow, seconds=3), step(gpu_steps.good))
    assert code == 0
    assert found["slow"]["status"] == "timed out"
    assert found["slow"]["figures"] == {"found": "something"}
    assert "still at it" in found["slow"]["output"]
    assert found["good"]["status"] == "done"


def test_what_a_step_has_started_ends_with_it(check):
    _, found = check(step(gpu_steps.parent, seconds=2))
    assert found["parent"]["status"] == "timed out"
    child = Path("/proc") / str(found["parent"]["figures"]["child"]) / "stat"
    deadline = time.monotonic() + 10
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(child)


def _alive(stat):
    """Whether a process is there and has not merely not been waited for."""
    try:
        return stat.read_text("utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(("run", "status"), [("wrong", "failed"), ("slow", "timed out")])
def test_correctness_that_fails_is_the_exit_code(check, run, status):
    first = step(getattr(gpu_steps, run), "correctness", seconds=2)
    code, found = check(first, step(gpu_steps.good))
    assert code == 1
    assert (found[run]["status"], found["good"]["status"]) == (status, "done")
    assert found[run]["figures"]


def test_steps_beside_one_another(check, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    beside = [
        step(run, "correctness", alongside=True, seconds=3)
        for run in (gpu_steps.slow, gpu_steps.good, gpu_steps.unable)
    ]
    code, found = check(*beside)
    assert code == 1
    assert [found[s.name]["status"] for s in beside] == ["timed out", "done", "skipped"]
    assert found["unable"]["reason"] == "nothing is installed"


def test_skip_done_goes_on(check):
    check(step(gpu_steps.good), step(gpu_steps.half))
    _, first = check()
    _, found = check(step(gpu_steps.good), step(gpu_steps.half), skip_done=True)
    assert found["good"] == first["good"]
    assert found["half"]["status"] == "failed"
    assert list(found) == ["good", "half"]


def test_the_machine_is_looked_at_anew_each_time(check):
    environment = step(gpu_steps.times_run, "environment")
    counts = [check(environment, skip_done=True)[1]["times_run"]["figures"] for _ in range(2)]
    assert counts == [{"times": 1}, {"times": 2}]


def test_without_time_nothing_begins_and_nothing_is_lost(check):
    check(step(gpu_steps.half))
    code, found = check(step(gpu_steps.half), step(gpu_steps.good), minutes=0.01)
    assert code == 0
    assert found["half"]["status"] == "failed"
    assert found["good"]["status"] == "skipped"
    assert found["good"]["reason"] == "no time was left"


def test_what_is_no_number_is_null(check):
    assert check(step(gpu_steps.not_finite))[1]["not_finite"]["figures"] == {"value": None}


def test_records_travel_without_labels_and_weights(check, tmp_path):
    check(step(gpu_steps.record))
    archive = tmp_path / "results" / bundle.RECORDS
    with tarfile.open(archive) as found:
        assert found.getnames() == ["study/runs/run.json"]
    earlier = tmp_path / "results" / "earlier"
    (earlier / "records" / "study" / "runs").mkdir(parents=True)
    (earlier / "records" / "study" / "runs" / "earlier.json").write_text("{}")
    bundle.pack(earlier, tmp_path / "results")
    _, found = check(step(gpu_steps.record), work="another machine")
    assert found["record"]["figures"] == {"before": True}


def test_asked_to_stop_it_writes_what_it_has(check):
    sender = threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGTERM))
    sender.start()
    code, found = check(step(gpu_steps.slow), step(gpu_steps.good))
    assert code == 130
    assert found["slow"]["status"] == "stopped"
    assert "good" not in found


# What travels


def test_what_travels_is_refused_above_the_limit(tmp_path):
    large = tmp_path / "large"
    large.mkdir()
    with (large / "file").open("wb") as stream:
        stream.truncate(size.LIMIT)  # sparse: it takes no room
    run = [ROOT / "tools" / "gpu_check.sh", "--size"]
    environment = os.environ | {"PYTHON": sys.executable, "MTBERT_DATA": ""}
    small = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert (small.returncode, small.stderr) == (0, "")
    assert "fits" in small.stdout
    found = subprocess.run(
        [*run, "--encoder", large], env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 1
    assert "TOO LARGE" in found.stdout


def test_the_wheels_stand_in_the_lock_file():
    script = (ROOT / "tools" / "gpu_wheels.sh").read_text("utf-8")
    names = re.search("names='([^']*)'", script)[1].split()
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert [n for n in names if not re.search(rf"^{n}==", lock, re.MULTILINE)] == []


def test_the_encoder_that_travels_is_bf16_and_loads(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "tools"), *sys.path])
    from gpu_encoder import write

    source = write_encoder(tmp_path / "source")
    moved = write(source, tmp_path / "new")
    assert 0 < moved < 2**-8
    weights = load_file(tmp_path / "new" / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}
    assert (tmp_path / "new" / "vocab.txt").read_text() == (source / "vocab.txt").read_text()


# Parts


def test_distance_is_a_share_of_what_is_expected():
    expected = {"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([4.0])}
    assert correctness.distance(expected, expected) == 0
    moved = {"a": torch.tensor([3.0, 0.3]), "b": torch.tensor([4.4])}
    assert correctness.distance(moved, expected) == pytest.approx(0.1)
    with pytest.raises(CheckFailed, match="b"):
        correctness.distance({"a": expected["a"]}, expected)


def test_the_comparison_finds_what_is_wrong(tmp_path, monkeypatch):
    context = Context("cpu", True, tmp_path, name="comparison")
    update = correctness.Case.update
    monkeypatch.setattr(
        correctness.Case,
        "update",
        lambda self: (
            {n: 1.001 * u for n, u in update(self).items()}
            if self.network.encoder.embeddings.token.sparse is False
            else update(self)
        ),
    )
    fit = switches.fit

    def fit_dense(encoder, dtype, device, attention="auto"):
        fit(encoder, dtype, device, attention)
        encoder.embeddings.token.sparse = fit_dense.calls == 0
        fit_dense.calls += 1

    fit_dense.calls = 0
    monkeypatch.setattr(switches, "fit", fit_dense)
    with pytest.raises(CheckFailed, match="update for equal gradients, fp32"):
        correctness.comparison(context)
    found = json.loads(context.figures_file.read_text("utf-8"))["checks"]
    failed = [name for name, one in found.items() if one.get("passed") is False]
    assert failed
    assert all(name.startswith("update for equal gradients, fp32") for name in failed)


def test_time_that_spans_cover():
    assert profiles.busy_seconds([(0, 1e6), (5e5, 2e6), (3e6, 4e6), (3.2e6, 3.3e6)]) == 3


@pytest.mark.parametrize("name", material.LENGTHS)
def test_drawn_lengths_are_those_of_the_course(name):
    lengths = material.drawn_lengths(name, 20_000)
    places = np.linspace(0.05, 0.95, 19)
    expected = np.array(material.LENGTHS[name])[1:-1]
    assert np.abs(np.quantile(lengths, places) - expected).max() <= 2


def test_what_an_earlier_pass_measured_is_there_for_later_steps(tmp_path, check):
    first = step(gpu_steps.good)
    check(first, work="one")
    check(first, step(gpu_steps.half), work="two", skip_done=True)
    file = Context(SPAWNED, True, tmp_path / "two").of(first.name, 0).figures_file
    assert json.loads(file.read_text("utf-8")) == {"value": 1.0}


def test_without_trainer_the_others_have_figures(tmp_path, monkeypatch):
    context = Context("cpu", True, tmp_path, name="sentences", deadline=math.inf)

    class Child:
        def __init__(self, device, make):
            self.make = make

        def ready(self, seconds):
            monkeypatch.setitem(sys.modules, "accelerate", None)  # it cannot be imported
            try:
                self.answer = self.make()
            except Skipped as reason:
                raise speed.ChildFailed(f"Skipped: {reason}") from None

        def ask(self, turn, seconds):
            return {"batch": turn.batch, "tokens_per_second": 1.0}

        def close(self):
            pass

    monkeypatch.setattr(speed, "Child", Child)
    monkeypatch.setattr(speed, "ours", lambda *args: None)
    monkeypatch.setattr(speed, "apart", lambda device, action, seconds: action())
    found = speed.sentences(context)
    assert set(found["turns"]) == {name for name in found["turns"] if name.startswith("mtbert")}
    for name in speed.TRAINERS:
        assert "accelerate is not installed" in found["without_figures"][name]


def test_the_papers_form_comes_first_seed_by_seed():
    class Cell:
        def __init__(self, form, seed):
            self.form, self.seed = form, seed

    mixed = [Cell(form, seed) for seed in (1, 2) for form in ("paper", "ours")]
    found = [(cell.form, cell.seed) for cell in science._paper_first(mixed)]
    assert found == [("paper", 1), ("paper", 2), ("ours", 1), ("ours", 2)]


# The whole in miniature


@pytest.fixture(scope="module")
def miniature(tmp_path_factory):
    """Run the script; its output folder."""
    output = tmp_path_factory.mktemp("gpu") / "results"
    arguments = ["--miniature", "--device", "cpu", "--output", output, "--minutes", "10"]
    run = subprocess.run(
        [ROOT / "tools" / "gpu_check.sh", *arguments],
        env=os.environ | {"PYTHON": sys.executable, "MTBERT_DATA": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return output


@pytest.fixture(scope="module")
def found(miniature):
    return json.loads((miniature / "gpu-check.json").read_text("utf-8"))


def leaves(tree, path=""):
    """Every value of a JSON tree with its place."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        if isinstance(value, dict | list):
            yield from leaves(value, f"{path}/{key}")
        else:
            yield f"{path}/{key}", value


def test_every_step_is_done_and_every_figure_a_number(found):
    assert {name: s["status"] for name, s in found["steps"].items()} == {
        s.name: "done" for s in STEPS
    }
    assert [s["kind"] for s in found["steps"].values()] == [s.kind for s in STEPS]
    for place, value in leaves(found):
        missing = value is None or (isinstance(value, float) and not math.isfinite(value))
        assert not missing or place.endswith("/overall"), place
    assert found["environment"] == found["steps"]["environment"]["figures"]


def test_the_comparisons_pass(found):
    steps = found["steps"]
    checks = steps["comparison"]["figures"]["checks"]
    assert len(checks) >= 16
    compared = [check for check in checks.values() if "cannot" not in check]
    assert all(check["passed"] for check in compared)
    assert any(check["distance"] > 0 for check in compared)
    assert "outputs, fp32" in checks
    for name in ("repetition", "resume"):
        same = steps[name]["figures"]["same"]
        assert {"model/model.safetensors", "metrics.jsonl"} <= set(same)
        assert all(same.values())
    assert steps["resume"]["figures"]["went_on_from"] == ["step-00000003"]
    assert set(steps["nccl"]["figures"]["passed"].values()) == {True}


def test_speed_is_that_of_the_same_batches(found):
    steps = found["steps"]
    for name in ("sentences", "pairs"):
        figures = steps[name]["figures"]
        assert set(figures["turns"]) >= {speed.MTBERT, *speed.TRAINERS}
        assert set(figures["by_batch"]) == {str(batch) for batch in MINIATURE.batches}
        seen = {n: [t["tokens"] for t in turns] for n, turns in figures["turns"].items()}
        assert len({tuple(tokens) for tokens in seen.values()}) == 1, seen
        for batch in figures["by_batch"].values():
            assert set(batch["mtbert_over"]) == set(figures["turns"]) - {speed.MTBERT}
            for middle in batch["medians"].values():
                assert middle["tokens_per_second"] > 0
                assert 0 < middle["share_of_ceiling"] < 1
                assert middle["peak_memory_mb"] > 0
    told = set(steps["sentences"]["figures"]["turns"])
    told |= set(steps["sentences"]["figures"]["without_figures"])
    told |= set(steps["compiled"]["figures"]["turns"])
    told |= set(steps["compiled"]["figures"]["without_figures"])
    assert told >= set(switches.VARIANTS) | {speed.COMPILED_TRAINER}
    assert "mtbert pcgrad" in steps["pcgrad"]["figures"]["turns"]
    assert steps["ceiling"]["figures"]["gflops"]["bf16" if _bf16(found) else "fp32"] > 0
    for turns in steps["evaluation"]["figures"]["turns"].values():
        assert turns[0]["sentences_per_second"] > 0
    for seen in steps["profiled"]["figures"]["by_batch"].values():
        assert seen["kernels"]


def _bf16(found):
    return found["environment"]["computes_bf16"]


def test_the_experiments_leave_records(found, miniature):
    for name in ("paper", "one_model"):
        figures = found["steps"][name]["figures"]
        assert figures["runs"] == figures["finished"] == len(figures["results"])
        for result in figures["results"].values():
            assert result["dev"]
    with tarfile.open(miniature / bundle.RECORDS) as archive:
        names = archive.getnames()
    runs = {r for n in ("paper", "one_model") for r in found["steps"][n]["figures"]["results"]}
    assert {Path(name).stem for name in names} == runs | {"study"}


def test_few_small_files_come_back(miniature):
    files = [path for path in miniature.rglob("*") if path.is_file()]
    assert 2 <= len(files) <= 8
    assert max(file.stat().st_size for file in files) < 16 << 20
