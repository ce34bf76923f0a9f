"""The paper's experiments as data: its tables, its findings, and where it contradicts itself.

Source: Xiao, Lin, BERT Mastery: Explore Multitask Learning (Stanford CS224N), sections 4.3 to 5.
The grids of the same names say how the runs are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "DURATIONS",
    "FINDINGS",
    "FORMS",
    "FORM_NOTES",
    "TABLES",
    "TASKS",
    "TEST_SCORES",
    "Change",
    "Finding",
    "PaperRow",
    "PaperTable",
    "contradictions",
]

TASKS = {"sst": "SST", "para": "Paraphrase", "sts": "STS"}
"""Names of the tasks in tables."""

FORMS = {"paper": "the paper's form", "ours": "our recipe"}

FORM_NOTES = {
    "paper": "each sentence of a pair alone, features u and v of the pooled [CLS], squared error "
    "for paraphrase and STS, constant rates",
    "ours": "the sentences of a pair jointly, in both orders, heads on the mean over a sequence's "
    "tokens, cross entropy for paraphrase, rate with warm-up and linear decay, weight decay, "
    "clipping",
}
"""What the forms are, for reports."""


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A row of one of the paper's tables.

    Attributes:
        label: as the paper has it.
        variations: the grid's variation that gives each task's number.
        scores: the paper's numbers by task.
    """

    label: str
    variations: Mapping[str, str]
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Change:
    """From one variation of an experiment to another, seen on one task."""

    experiment: str
    before: str
    after: str
    task: str


@dataclass(frozen=True, slots=True)
class PaperTable:
    """One of the Tables 1 to 4, and the changes that are read from it."""

    number: int
    experiment: str
    title: str
    rows: tuple[PaperRow, ...]
    changes: tuple[Change, ...]

    def score(self, variation: str, task: str) -> float | None:
        """The paper's number."""
        row = self._row(variation, task)
        return None if row is None else row.scores[task]

    def label(self, variation: str, task: str) -> str:
        """What the paper calls a variation."""
        row = self._row(variation, task)
        return variation if row is None else row.label

    def _row(self, variation: str, task: str) -> PaperRow | None:
        return next((row for row in self.rows if row.variations.get(task) == variation), None)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the paper concludes, as changes that can be measured.

    Attributes:
        text: the finding.
        changes: that bear on it; empty for the one about durations.
        sign: 1 where the finding says that the score rises, -1 where it falls.
        margin: the change must be above this (in the direction of `sign`); negative for "hardly
            hurts".
        need: whether all changes must be so, or any one.
    """

    text: str
    changes: tuple[Change, ...]
    sign: int = 1
    margin: float = 0.0
    need: Literal["all", "any"] = "all"

    @property
    def experiment(self) -> str:
        """Whose runs bear on it."""
        return self.changes[0].experiment if self.changes else "task-count"


def _changes(experiment: str, *parts: tuple[str, str, str]) -> tuple[Change, ...]:
    return tuple(Change(experiment, before, after, task) for before, after, task in parts)


def _same(variation: str, **scores: float) -> tuple[dict[str, str], dict[str, float]]:
    return dict.fromkeys(scores, variation), scores


_FROZEN = _changes(
    "pretrain-vs-finetune",
    ("sst-frozen", "sst", "sst"),
    ("para-frozen", "para", "para"),
    ("sts-frozen", "sts", "sts"),
)
_METHODS = _changes(
    "batching",
    ("method2", "method3", "sst"),
    ("method2", "method3", "para"),
    ("method2", "method3", "sts"),
)
_COUNT = _changes(
    "task-count",
    ("sst", "sst+sts", "sst"),
    ("sst", "sst+para", "sst"),
    ("sst", "sst+para+sts", "sst"),
    ("para", "sst+para", "para"),
    ("para", "para+sts", "para"),
    ("para", "sst+para+sts", "para"),
    ("sts", "sst+sts", "sts"),
    ("sts", "para+sts", "sts"),
    ("sts", "sst+para+sts", "sts"),
)
_SURGERY = _changes(
    "gradient-surgery",
    ("sst+sts", "sst+sts-pcgrad", "sst"),
    ("sst+sts", "sst+sts-pcgrad", "sts"),
    ("sst+para", "sst+para-pcgrad", "sst"),
    ("sst+para", "sst+para-pcgrad", "para"),
    ("para+sts", "para+sts-pcgrad", "para"),
    ("para+sts", "para+sts-pcgrad", "sts"),
)

TABLES = (
    PaperTable(
        1,
        "pretrain-vs-finetune",
        "Frozen (the paper: pretrain) against fine-tuned",
        (
            PaperRow(
                "frozen",
                {"sst": "sst-frozen", "para": "para-frozen", "sts": "sts-frozen"},
                {"sst": 0.396, "para": 0.561, "sts": 0.271},
            ),
            PaperRow(
                "fine-tuned",
                {"sst": "sst", "para": "para", "sts": "sts"},
                {"sst": 0.520, "para": 0.793, "sts": 0.396},
            ),
        ),
        _FROZEN,
    ),
    PaperTable(
        2,
        "batching",
        "Batching of several data sets",
        (
            PaperRow(
                "Method 2 (finish largest)", *_same("method2", sst=0.504, para=0.778, sts=0.366)
            ),
            PaperRow(
                "Method 3 (finish smallest)", *_same("method3", sst=0.510, para=0.662, sts=0.379)
            ),
        ),
        _METHODS,
    ),
    PaperTable(
        3,
        "task-count",
        "Number of tasks fine-tuned together",
        (
            PaperRow("SST", *_same("sst", sst=0.520)),
            PaperRow("Paraphrase", *_same("para", para=0.749)),
            PaperRow("STS", *_same("sts", sts=0.364)),
            PaperRow("SST + STS", *_same("sst+sts", sst=0.489, sts=0.379)),
            PaperRow("SST + Paraphrase", *_same("sst+para", sst=0.501, para=0.714)),
            PaperRow("STS + Paraphrase", *_same("para+sts", para=0.688, sts=0.364)),
            PaperRow(
                "SST + Paraphrase + STS",
                *_same("sst+para+sts", sst=0.510, para=0.662, sts=0.379),
            ),
        ),
        _COUNT,
    ),
    PaperTable(
        4,
        "gradient-surgery",
        "Gradient surgery",
        (
            PaperRow("SST + STS", *_same("sst+sts", sst=0.512, sts=0.379)),
            PaperRow("SST + STS, PCGrad", *_same("sst+sts-pcgrad", sst=0.510, sts=0.374)),
            PaperRow("SST + Paraphrase", *_same("sst+para", sst=0.520, para=0.714)),
            PaperRow("SST + Paraphrase, PCGrad", *_same("sst+para-pcgrad", sst=0.519, para=0.728)),
            PaperRow("STS + Paraphrase", *_same("para+sts", para=0.688, sts=0.364)),
            PaperRow("STS + Paraphrase, PCGrad", *_same("para+sts-pcgrad", para=0.707, sts=0.362)),
        ),
        _SURGERY,
    ),
)

TEST_SCORES = {"sst": 0.513, "para": 0.797, "sts": 0.332, "overall": 0.659}
"""Table 5: the paper's numbers on the test set, which we cannot see."""

DURATIONS = (
    ("three runs of one task", ("sst", "para", "sts")),
    ("SST + STS, Paraphrase alone", ("sst+sts", "para")),
    ("SST + Paraphrase, STS alone", ("sst+para", "sts")),
    ("STS + Paraphrase, SST alone", ("para+sts", "sst")),
    ("all three together", ("sst+para+sts",)),
)
"""Figure 1: ways to have all three tasks, and the runs (of `task-count`) that each takes."""

FINDINGS = (
    Finding("Fine-tuning beats the frozen encoder on every task.", _FROZEN),
    Finding(
        "Method 3 costs paraphrase accuracy.",
        tuple(c for c in _METHODS if c.task == "para"),
        sign=-1,
    ),
    Finding(
        "Method 3 is a little better for SST and STS.",
        tuple(c for c in _METHODS if c.task != "para"),
    ),
    Finding("The more tasks at once, the faster training is in total.", ()),
    Finding(
        "SST is best alone.",
        tuple(c for c in _COUNT if c.task == "sst"),
        sign=-1,
    ),
    Finding(
        "Paraphrase is best alone.",
        tuple(c for c in _COUNT if c.task == "para"),
        sign=-1,
    ),
    Finding(
        "STS is best together with other tasks.",
        tuple(c for c in _COUNT if c.task == "sts"),
        need="any",
    ),
    Finding("PCGrad helps paraphrase.", tuple(c for c in _SURGERY if c.task == "para")),
    Finding(
        "PCGrad hardly hurts the other tasks (by less than one point).",
        tuple(c for c in _SURGERY if c.task != "para"),
        margin=-0.01,
    ),
)


def contradictions() -> list[str]:
    """Runs that two of the paper's tables report with different numbers."""
    found = []
    for i, first in enumerate(TABLES):
        for second in TABLES[i + 1 :]:
            for row in first.rows:
                for task, value in row.scores.items():
                    other = second.score(row.variations[task], task)
                    if other is not None and other != value and _same_runs(first, second, task):
                        found.append(
                            f"{second.label(row.variations[task], task)}: {TASKS[task]} "
                            f"{value:.3f} in Table {first.number}, {other:.3f} in Table "
                            f"{second.number}"
                        )
    return found


def _same_runs(first: PaperTable, second: PaperTable, task: str) -> bool:
    """Table 1 has all the data of a task, the others as many batches as STS has: STS, the same."""
    return first.number != 1 or task == "sts"
