import math
import time

import pytest
import torch

from mtbert.hardware import machine
from mtbert.hardware.machine import (
    SHAPES,
    Stopwatch,
    ceilings,
    computes_bf16,
    memory_mb,
    processor_fields,
    processor_name,
    product_kinds,
    product_speeds,
)


def test_a_stopwatch_measures_time_and_what_others_took(monkeypatch):
    busy, own = iter([100.0, 103.0]), iter([10.0, 11.0])
    monkeypatch.setattr(machine, "_busy_seconds", lambda: next(busy))
    monkeypatch.setattr(machine, "_own_seconds", lambda: next(own))
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 4)
    times = iter([50.0, 51.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(times))
    # Of 4 seconds of four processors in one second, 3 were used, 1 of these by this process.
    assert Stopwatch().read() == {"seconds": 1.0, "others": 0.5}


def test_others_never_take_less_than_nothing(monkeypatch):
    busy, own = iter([100.0, 100.1]), iter([10.0, 10.2])
    monkeypatch.setattr(machine, "_busy_seconds", lambda: next(busy))
    monkeypatch.setattr(machine, "_own_seconds", lambda: next(own))
    assert Stopwatch().read()["others"] == 0.0


@pytest.mark.parametrize("file", ["/proc/stat", "/proc/cpuinfo", "/proc/self/status"])
def test_what_the_kernel_does_not_tell_is_unknown_and_no_error(monkeypatch, file):
    monkeypatch.setattr(machine.Path, "is_file", lambda self: str(self) != file)
    if file == "/proc/stat":
        assert math.isnan(machine._busy_seconds())
    elif file == "/proc/cpuinfo":
        assert processor_fields() == {}
        assert processor_name().endswith("cores")
    else:
        assert math.isnan(memory_mb("VmRSS"))


def test_memory_now_is_no_more_than_at_its_peak():
    now, peak = memory_mb("VmRSS"), memory_mb("VmHWM")
    assert math.isnan(now) or 0 < now <= peak


def test_speeds_are_measured_for_every_shape_and_the_ceiling_is_the_fastest(monkeypatch):
    monkeypatch.setattr(machine, "_SECONDS", 0.001)
    monkeypatch.setitem(machine.TOKENS, "cpu", 8)
    speeds = product_speeds("fp32")
    assert list(speeds) == [f"{m} -> {n}" for m, n in SHAPES]
    assert all(speed > 0 for speed in speeds.values())
    monkeypatch.setattr(machine, "product_speeds", lambda kind, device: {"a": 1.0, "b": 3.0})
    assert set(ceilings().values()) == {3.0}
    assert machine.ONEDNN not in ceilings()


@pytest.mark.parametrize(
    ("able", "expected"), [({}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True)]
)
def test_bf16_counts_where_there_are_instructions_for_it(monkeypatch, able, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert computes_bf16() is expected
    assert ("bf16" in product_kinds()) is expected
