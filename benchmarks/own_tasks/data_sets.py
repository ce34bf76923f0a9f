"""The data sets by name, each with the function that makes it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from benchmarks.own_tasks.archive import archive
from benchmarks.own_tasks.chats import chats
from benchmarks.own_tasks.course import course
from benchmarks.own_tasks.intents import intents
from benchmarks.own_tasks.products import products
from benchmarks.own_tasks.reviews import reviews
from benchmarks.own_tasks.table import DataSet
from benchmarks.own_tasks.tickets import tickets

__all__ = ["DATA_SETS", "make"]

DATA_SETS: dict[str, Callable[[Random], DataSet]] = {
    "tickets": tickets,
    "intents": intents,
    "reviews": reviews,
    "archive": archive,
    "products": products,
    "chats": chats,
    "course": course,
}


def make(name: str) -> DataSet:
    """A data set, the same at every call."""
    return DATA_SETS[name](Random(f"own tasks: {name}"))
