"""A stranger's three tasks on 132 support tickets: a queue of six, urgency 0 to 10, duplicates."""

import csv
import random
from pathlib import Path

QUEUES = {
    "billing": [
        ("my invoice shows {n} charges for the same month", 5),
        ("I was charged twice for the {p} plan", 7),
        ("please send the receipt of order {n}", 2),
        ("the refund for the {p} plan has not arrived", 6),
    ],
    "login": [
        ("I cannot log in to the {p} portal", 8),
        ("the password reset mail for {p} never comes", 7),
        ("how do I change the name of my {p} account", 1),
        ("two-factor codes are refused at the {p} login", 8),
    ],
    "delivery": [
        ("package {n} has not arrived yet", 6),
        ("the courier left box {n} at the wrong house", 5),
        ("can I pick up parcel {n} at the shop", 2),
        ("parcel {n} arrived with a broken {p}", 6),
    ],
    "outage": [
        ("the {p} service is down for all of us", 10),
        ("nothing loads since {n} o'clock, production stands still", 10),
        ("the {p} dashboard is very slow today", 6),
        ("error {n} on every request to the {p} interface", 9),
    ],
    "hardware": [
        ("the screen of my {p} flickers", 4),
        ("the {p} gets hot and switches off", 7),
        ("a key of the {p} is missing", 3),
        ("the battery of the {p} lasts only {n} minutes", 5),
    ],
    "feedback": [
        ("I love the new look of the {p} page", 0),
        ("it would be nice to sort the {p} list by date", 1),
        ("thank you for the quick help with {p}", 0),
        ("the colours of the {p} menu are hard to read", 2),
    ],
}
PRODUCTS = ["laptop", "phone", "router", "tablet", "printer", "team", "cloud", "mobile"]
OPENINGS = ["", "Hello, ", "Hi team, ", "Good morning, ", "To whom it may concern: "]
HURRY = [("", 0), (" Please hurry!", 1), (" This is urgent.", 2), (" No rush.", -2)]
TRAIN, ROWS, PAIRS = 98, 132, 104


def write_tickets(folder: Path, seed: int = 1) -> Path:
    """tickets-{train,dev}.csv (text, queue, urgency), pairs-{train,dev}.csv (a, b, duplicate)."""
    source = random.Random(seed)
    rows = []
    for number in range(ROWS):
        queue = list(QUEUES)[number % len(QUEUES)]
        form, base = source.choice(QUEUES[queue])
        hurry, more = source.choice(HURRY)
        text = source.choice(OPENINGS) + _filled(form, source) + "." + hurry
        rows.append([text, queue, min(10, max(0, base + more + source.choice((-1, 0, 0, 1))))])
    source.shuffle(rows)
    _write(folder / "tickets-train.csv", ["text", "queue", "urgency"], rows[:TRAIN])
    _write(folder / "tickets-dev.csv", ["text", "queue", "urgency"], rows[TRAIN:])
    forms = [(queue, form) for queue, found in QUEUES.items() for form, _ in found]
    pairs = []
    for number in range(PAIRS):
        queue, first = source.choice(forms)
        same = number % 2
        others = [f for q, f in forms if f != first and (q == queue or number % 4)]
        second = first if same else source.choice(others)
        texts = [source.choice(OPENINGS) + _filled(form, source) for form in (first, second)]
        pairs.append([*texts, ("no", "yes")[same]])
    source.shuffle(pairs)
    cut = PAIRS * 3 // 4
    _write(folder / "pairs-train.csv", ["a", "b", "duplicate"], pairs[:cut])
    _write(folder / "pairs-dev.csv", ["a", "b", "duplicate"], pairs[cut:])
    return folder


def ticket_tasks(**urgency):
    """The three tasks as a stranger names them: kinds, files and columns, no more."""
    tickets = {"train": "tickets-train.csv", "dev": "tickets-dev.csv"}
    pairs = {"train": "pairs-train.csv", "dev": "pairs-dev.csv"}
    return {
        "queue": {
            "kind": "classification", "labels": list(QUEUES), **tickets,
            "columns": {"text": "text", "label": "queue"},
        },
        "urgency": {
            "kind": "regression", "range": [0, 10], **tickets,
            "columns": {"text": "text", "label": "urgency"}, **urgency,
        },
        "duplicate": {
            "kind": "pair_classification", "labels": ["no", "yes"], **pairs,
            "columns": {"text": "a", "text2": "b", "label": "duplicate"},
        },
    }  # fmt: skip


def _filled(form: str, source: random.Random) -> str:
    return form.format(n=source.randint(2, 99), p=source.choice(PRODUCTS))


def _write(file: Path, header: list[str], rows: list) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
