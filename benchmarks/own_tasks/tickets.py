"""132 support tickets: the queue of six, the urgency from 0 to 10, and duplicates."""

from __future__ import annotations

from random import Random
from typing import Any

from benchmarks.own_tasks.grammar import Grammar, flipped, listed, number_near, worn
from benchmarks.own_tasks.table import DataSet, Table

__all__ = ["tickets"]

_QUEUES: dict[str, list[list[str]]] = {
    "billing": [
        listed(
            "I was charged twice for {month} / you took the money for {month} two times / our "
            "account shows a double payment in {month}"
        ),
        listed(
            "the invoice for {month} shows the wrong VAT number / our tax id on the {month} "
            "bill is not ours / please correct the VAT details on the {month} invoice"
        ),
        listed(
            "my card was declined although there is money on it / paying by card fails, the "
            "bank says everything is fine / your checkout refuses my credit card"
        ),
        listed(
            "we cancelled in {month} and you still debit us / why do you go on charging a {plan} "
            "plan that we ended / the subscription is terminated, the payments are not"
        ),
        listed(
            "the discount code was not taken off the bill / we paid the full price in spite of "
            "the voucher / the coupon is missing from the invoice"
        ),
    ],
    "login": [
        listed(
            "the reset mail for my password never arrives / I ask for a new password and get "
            "no message / password recovery sends nothing to my inbox"
        ),
        listed(
            "two-factor codes are refused on {device} / the six digits from the authenticator "
            "are called wrong / the second factor does not accept my code"
        ),
        listed(
            "I am locked out after three wrong attempts / my account is blocked because I "
            "mistyped / too many tries, now I cannot get in"
        ),
        listed(
            "single sign-on sends me round in circles / the company login redirects for ever / "
            "SSO loops back to the start page"
        ),
        listed(
            "the verification link says expired the moment I open it / confirming my address "
            "fails, the link is too old / your activation mail leads to an invalid link"
        ),
    ],
    "hardware": [
        listed(
            "the docking station no longer detects {device} / nothing happens when I plug "
            "{device} into the dock / the dock does not recognise {device}"
        ),
        listed(
            "my screen flickers since {day} / the monitor goes black for a second again and "
            "again / the display has been blinking since {day}"
        ),
        listed(
            "the battery of {device} swells and gets hot / {device} bulges at the bottom and "
            "is burning hot / the accumulator is inflated"
        ),
        listed(
            "paper jams in the printer on the third floor / the printer upstairs chews up every "
            "sheet / pages get stuck when I print"
        ),
        listed(
            "the headset crackles in every call / there is a rustling in my earphones / my "
            "headphones make noise when I talk"
        ),
    ],
    "network": [
        listed(
            "the VPN drops every few minutes / my tunnel to the company breaks all the time / "
            "the remote connection is lost again and again"
        ),
        listed(
            "wifi in meeting room {number} is unusable / no wireless signal in room {number} / "
            "the access point near {number} seems dead"
        ),
        listed(
            "I cannot reach the file server from home / the shared drive is not there when I "
            "work remotely / network folders do not open outside the office"
        ),
        listed(
            "pages load very slowly since {day} / the internet crawls since {day} / every site "
            "takes a minute to open"
        ),
        listed(
            "the firewall blocks our supplier's site / access to a partner's web page is "
            "denied / a page that we need is filtered"
        ),
    ],
    "shipping": [
        listed(
            "the parcel has been in {city} since {day} / our package does not move on from "
            "{city} / delivery is stuck in {city}"
        ),
        listed(
            "tracking says delivered but nothing is here / the parcel is marked as handed over "
            "and we have not seen it / supposedly it arrived, our reception knows nothing"
        ),
        listed(
            "half of the order is missing from the box / only some of the items were in the "
            "carton / the delivery is incomplete"
        ),
        listed(
            "please change the address to {city} / can you send it to {city} instead / we have "
            "moved to {city}, redirect the parcel"
        ),
        listed(
            "the wrong colour came, how do I send it back / we got blue ones and ordered grey, "
            "please take them back / I want to return an item that is not what I chose"
        ),
    ],
    "feature": [
        listed(
            "it would be great to have a dark theme / a black background would be easier on "
            "the eyes / please offer a night mode"
        ),
        listed(
            "please add an export to {format} / could we download the {place} as {format} / we "
            "would like to save tables for {format}"
        ),
        listed(
            "we would love shortcuts for the {place} / hotkeys in the {place} would speed us "
            "up / let me use the {place} without a mouse"
        ),
        listed(
            "is an API for the {place} planned / we want to read the {place} from our own "
            "program / an interface for developers is missing"
        ),
        listed(
            "let us sort the {place} by date / ordering entries in the {place} would be handy / "
            "I wish the {place} could show the newest first"
        ),
    ],
}
"""Issues by queue, each in several wordings."""
_RULES = {
    "month": listed("January / March / last month / August / the whole quarter / November"),
    "plan": listed("team / yearly / starter / enterprise"),
    "device": listed("my laptop / the new tablet / my phone / workstation 14 / the old notebook"),
    "day": listed("Monday / yesterday / this morning / the last update / the holidays"),
    "number": listed("2 / 5 / 11 / B204"),
    "city": listed("Leipzig / Lyon / Porto / Graz / Leeds / Gdansk"),
    "format": listed("Excel / PDF / CSV / our accounting tool"),
    "place": listed("inbox / report list / project board / contact page"),
    "hello": listed("hi, / hello team, / good morning, / / / dear support, / hey"),
    "thanks": listed("thanks! / thank you in advance. / / / regards, Ines / best, Tom / cheers"),
}
_URGENCY = (
    (9.3, listed("everything stands still, call me now! / our whole office cannot work. / this is "
                 "an emergency, customers are waiting in the shop. / we lose money every minute")),
    (7.0, listed("I need this by noon. / there is a demo tomorrow. / please treat this as a "
                 "priority. / the deadline is today")),
    (4.6, listed("it would help to have it this week. / it slows me down a bit. / I can work "
                 "around it for a day or two. / please have a look when you get to it")),
    (1.4, listed("no hurry at all. / just a small thing. / whenever you find the time. / only "
                 "for your information, nothing urgent")),
)  # fmt: skip
_LEVEL = {"billing": 0.2, "login": 1.0, "hardware": 0.0, "network": 0.8, "shipping": 0.0,
          "feature": -1.6}  # fmt: skip


def tickets(random: Random) -> DataSet:
    """98 tickets and 78 pairs to train on."""
    grammar = Grammar(_RULES, random)
    names = list(_QUEUES)
    rows: list[dict[str, Any]] = []
    for number in range(332):
        queue = names[number % 6] if random.random() < 0.7 else random.choice(names)
        level, words = random.choice(_URGENCY)
        body = _ticket(grammar, random, queue, random.choice(words))
        urgency = number_near(level + _LEVEL[queue], 0.8, (0, 10), random)
        rows.append(
            {
                "Ticket No": f"T-{2000 + number}",
                "Body": worn(body, random),
                "Queue": flipped(queue, names, random, 0.06),
                "Urgency": round(urgency),
            }
        )
    pairs = [_pair(grammar, random) for _ in range(304)]
    random.shuffle(rows)
    return DataSet(
        "tickets",
        "support tickets: queue of 6, urgency 0 to 10; pairs: duplicate or not",
        {
            "tickets": Table("tickets", "csv", rows, dev=34, test=200),
            "pairs": Table("ticket-pairs", "csv", pairs, dev=26, test=200),
        },
        {
            "queue": {
                "kind": "classification",
                "columns": {"text": "Body", "label": "Queue"},
                "labels": names,
            },
            "urgency": {
                "kind": "regression",
                "columns": {"text": "Body", "label": "Urgency"},
                "range": [0, 10],
            },
            "duplicate": {
                "kind": "pair_classification",
                "columns": {"text": "first", "text2": "second", "label": "same issue"},
                "labels": ["no", "yes"],
            },
        },
        {"queue": "tickets", "urgency": "tickets", "duplicate": "pairs"},
    )


def _ticket(grammar: Grammar, random: Random, queue: str, urgency: str) -> str:
    issue = random.choice(random.choice(_QUEUES[queue]))
    parts = ["{hello}", issue + ".", urgency, "{thanks}"]
    if random.random() < 0.3:
        parts[1], parts[2] = parts[2] + ".", parts[1] + "."
    return grammar.say(" ".join(parts)).replace("..", ".").replace("!.", "!")


def _pair(grammar: Grammar, random: Random) -> dict[str, Any]:
    """One issue in two tickets, or two issues of one queue or of two."""
    queue = random.choice(list(_QUEUES))
    same = random.random() < 0.45
    issue = random.choice(_QUEUES[queue])
    if same:
        first, second = random.sample(issue, 2)
    else:
        other = _QUEUES[queue if random.random() < 0.6 else random.choice(list(_QUEUES))]
        first = random.choice(issue)
        second = random.choice(random.choice([i for i in other if i is not issue]))
    wrap = listed(
        "{x}. / {hello} {x}. {thanks} / {hello} it happened again: {x}. / since {day}: {x}. / {x}, "
        "who can help? / {x}. Several people here see it too."
    )
    texts = [
        worn(grammar.say(random.choice(wrap), x=grammar.say(complaint)), random)
        for complaint in (first, second)
    ]
    label = flipped("yes" if same else "no", ["no", "yes"], random, 0.06)
    return {"first": texts[0], "second": texts[1], "same issue": label}
