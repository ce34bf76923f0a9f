"""Steps of a check that are quick and do not need torch; processes import them by name."""

import os
import subprocess
import time

from benchmarks.gpu.context import CheckFailed, Skipped, Step


def good(context):
    return {"value": 1.0}


def half(context):
    context.note({"found": "one half"})
    raise ValueError("a defect")


def wrong(context):
    context.note({"distance": 2.0})
    raise CheckFailed("too far apart")


def slow(context):
    context.note({"found": "something"})
    print("still at it", flush=True)
    time.sleep(60)
    return {}


def parent(context):
    child = subprocess.Popen(["sleep", "60"])
    context.note({"child": child.pid})
    time.sleep(60)
    return {}


def crash(context):
    print("last words", flush=True)
    os._exit(7)


def unable(context):
    raise Skipped("nothing is installed")


def not_finite(context):
    return {"value": float("nan")}


def record(context):
    folder = context.work / "records" / "study" / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text("{}")
    (folder / "labels-1234.json").write_text("[1, 2]")
    (folder / "model.safetensors").write_text("weights")
    return {"before": (context.work / "records" / "study" / "runs" / "earlier.json").exists()}


def times_run(context):
    file = context.work / "times"
    times = 1 + (int(file.read_text()) if file.exists() else 0)
    file.write_text(str(times))
    return {"times": times}


def step(run, kind="speed", seconds=30.0, **options):
    return Step(run.__name__, kind, seconds, run, **options)
