"""The steps by their worth: what is wrong first, then how fast, then what the experiments say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.gpu.context import Context, Step

__all__ = ["STEPS"]


def _environment(context: Context) -> Mapping[str, Any]:
    from benchmarks.gpu.environment import describe

    return describe(context)


def _correctness(context: Context) -> Mapping[str, Any]:
    from benchmarks.gpu import correctness

    return getattr(correctness, context.name)(context)  # type: ignore[no-any-return]


def _speed(context: Context) -> Mapping[str, Any]:
    from benchmarks.gpu import speed

    return getattr(speed, context.name)(context)  # type: ignore[no-any-return]


def _science(context: Context) -> Mapping[str, Any]:
    from benchmarks.gpu import science

    return getattr(science, context.name)(context)  # type: ignore[no-any-return]


STEPS = (
    Step("environment", "environment", 60, _environment),
    Step("comparison", "correctness", 90, _correctness, alongside=True),
    Step("repetition", "correctness", 120, _correctness, alongside=True),
    Step("resume", "correctness", 150, _correctness, alongside=True),
    Step("nccl", "correctness", 60, _correctness, alongside=True),
    Step("ceiling", "speed", 40, _speed),
    Step("sentences", "speed", 110, _speed),
    Step("profiled", "speed", 60, _speed),
    Step("pcgrad", "speed", 60, _speed),
    Step("compiled", "speed", 150, _speed),
    Step("pairs", "speed", 90, _speed),
    Step("evaluation", "speed", 60, _speed),
    Step("paper", "science", 24 * 3600, _science, grace=30),
    Step("one_model", "science", 24 * 3600, _science, grace=30),
)
"""Imports are the step's own, so that one that fails is a step that fails."""
