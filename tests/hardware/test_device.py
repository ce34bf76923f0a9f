import ctypes
import os
import sys

import pytest
import torch

from mtbert.config.settings import Settings
from mtbert.errors import UserError
from mtbert.hardware import device
from mtbert.hardware.device import (
    compute_deterministically,
    compute_dtype,
    flushed_denormals,
    keep_freed_memory,
    precision_reason,
    resolve_device,
)

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def settings(**changes):
    task = {"kind": "regression", "train": "t.csv", "dev": "d.csv"}
    return Settings(tasks={"sts": task}, **changes)


@pytest.mark.parametrize(("available", "expected"), [(True, torch.device("cuda", 1)), (False, CPU)])
def test_auto_is_a_gpu_if_there_is_one(monkeypatch, available, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch, "empty", lambda *args, device: None)
    current = []
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    assert resolve_device(settings()) == expected
    assert current == ([expected] if available else [])


def test_a_named_device_is_taken():
    assert resolve_device(settings(device="cpu")) == CPU


@pytest.mark.parametrize("name", ["nonsense", "", "cuda:99", "cpu:x", "mps", "xpu:99"])
def test_a_device_that_is_not_here_is_refused_by_name(monkeypatch, name):
    if name == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has it")
    with pytest.raises(UserError, match=f"device: '{name}' cannot be used here: ."):
        resolve_device(settings(device=name))


def test_threads_are_set_when_a_number_is_given(monkeypatch):
    found = []
    monkeypatch.setattr(torch, "set_num_threads", found.append)
    resolve_device(settings(device="cpu"))
    assert found == []
    resolve_device(settings(device="cpu", threads=3))
    assert found == [3]


@pytest.mark.parametrize("where", [CPU, CUDA])
def test_a_precision_that_is_asked_for_is_taken(where):
    assert compute_dtype("fp32", where) == torch.float32
    assert compute_dtype("bf16", where) == torch.bfloat16


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"cpu_name": "Intel(R) Xeon(R)", "amx_bf16": True, "avx512_bf16": True}, torch.bfloat16),
        ({"cpu_name": "Intel(R) Xeon(R)", "avx512_bf16": True}, torch.float32),
        ({"cpu_name": "AMD EPYC 9654", "avx512_bf16": True}, torch.bfloat16),
        ({"cpu_name": "AMD EPYC 7763"}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_auto_is_bf16_on_processors_that_are_faster_in_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert compute_dtype("auto", CPU) == expected


def test_why_auto_takes_what_it_takes_is_told(monkeypatch):
    def why(**capabilities):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
        return precision_reason("auto", CPU)

    assert "AMX" in why(cpu_name="Intel", amx_bf16=True, avx512_bf16=True)
    assert "slower than fp32 on Intel" in why(cpu_name="Intel", avx512_bf16=True)
    assert "has AVX512-BF16" in why(cpu_name="AMD EPYC", avx512_bf16=True)
    assert "no bf16 instructions" in why(cpu_name="AMD EPYC")
    assert precision_reason("bf16", CPU) == "asked for"


@pytest.mark.parametrize(
    ("supported", "expected"), [(True, torch.bfloat16), (False, torch.float32)]
)
def test_auto_is_bf16_on_gpus_that_have_it(monkeypatch, supported, expected):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    assert compute_dtype("auto", CUDA) == expected


def test_auto_is_fp32_elsewhere():
    assert compute_dtype("auto", torch.device("mps")) == torch.float32


class Library:
    """A C library that notes how its mallopt is called."""

    def __init__(self):
        self.calls = []

    def mallopt(self, option, value):
        self.calls.append((option, value))


def test_freed_memory_is_kept_on_glibc(monkeypatch):
    library = Library()
    monkeypatch.setattr(device, "sys", type("Linux", (), {"platform": "linux"}))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    keep_freed_memory()
    assert {option for option, _ in library.calls} == {-1, -3}  # M_TRIM_ and M_MMAP_THRESHOLD


def test_nothing_is_called_on_other_systems_or_libraries(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "CDLL", None)
    keep_freed_memory()


def test_tiny_numbers_count_as_zero_inside_and_only_there():
    tiny = torch.full((4,), 1e-39)
    with flushed_denormals():
        assert not (tiny * 1).any()
    assert (tiny * 1).all()


def test_deterministic_cublas_gets_its_workspace_before_it_starts(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda wanted: None)
    compute_deterministically(False, CUDA)
    compute_deterministically(True, CPU)
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    compute_deterministically(True, CUDA)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_each_process_takes_the_gpu_of_its_number(toy, monkeypatch):
    taken = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    for asked in ("auto", "cuda"):
        assert resolve_device(toy.settings(device=asked), 1) == torch.device("cuda:1")
    assert taken == [torch.device("cuda:1")] * 2
    with pytest.raises(UserError, match="2 GPUs here, but at least 3 processes"):
        resolve_device(toy.settings(device="auto"), 2)
    with pytest.raises(UserError, match="each of several processes takes the GPU of its number"):
        resolve_device(toy.settings(device="cuda:0"), 1)
    assert resolve_device(toy.settings(device="cpu"), 1) == torch.device("cpu")
