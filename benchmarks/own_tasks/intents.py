"""3,000 messages to a bank: 77 intents, and how satisfied 500 closing messages are, from 1 to 5."""

from __future__ import annotations

from random import Random
from typing import Any

from benchmarks.own_tasks.grammar import Grammar, flipped, listed, number_near, worn
from benchmarks.own_tasks.table import DataSet, Table

__all__ = ["intents"]

_THINGS = {
    "card": listed("card / debit card / bank card / plastic / credit card"),
    "transfer": listed("transfer / bank transfer / wire / payment to another bank / remittance"),
    "top_up": listed("top-up / topping up / adding money / loading my balance / deposit"),
    "cash": listed("cash withdrawal / ATM withdrawal / taking out cash / money from the machine"),
    "exchange": listed("currency exchange / changing euros to dollars / foreign exchange / the "
                       "conversion to pounds"),
    "pin": listed("PIN / PIN code / four digit code / secret number"),
    "direct_debit": listed("direct debit / standing order / recurring payment / monthly debit"),
    "refund": listed("refund / money back from a shop / reimbursement / returned purchase"),
    "identity": listed("identity check / passport verification / proof of identity / ID upload"),
    "app": listed("app / mobile app / application on my phone / banking app"),
    "savings": listed("savings account / savings pot / interest account / rainy day fund"),
}  # fmt: skip
_ASKS = {
    "how": listed("how do I set up {thing} / what are the steps for {thing} / show me the way to "
                  "get {thing} going / I have never used {thing}, where do I begin / can you "
                  "explain {thing} to me / where do I find {thing}"),
    "cost": listed("what does {thing} cost / is there a fee for {thing} / how much do you charge "
                   "for {thing} / is {thing} free of charge / why was I billed for {thing} / are "
                   "there any charges with {thing}"),
    "failed": listed("{thing} does not work / {thing} was refused / I get an error with {thing} / "
                     "{thing} failed again / something is broken with {thing} / {thing} got "
                     "rejected without a reason"),
    "delayed": listed("{thing} is still pending / how long does {thing} take / I have been waiting "
                      "for {thing} since {when} / when will {thing} be done / {thing} has not "
                      "arrived yet / why is {thing} so slow"),
    "limit": listed("is there a limit on {thing} / what is the maximum for {thing} / can I raise "
                    "the cap on {thing} / how often may I use {thing} / {thing} says I am over "
                    "the allowance / how high may {thing} be"),
    "stop": listed("please cancel {thing} / I want to stop {thing} / how can I undo {thing} / I no "
                   "longer need {thing}, end it / block {thing} at once / get rid of {thing} for "
                   "me"),
    "unknown": listed("I do not recognise {thing} / {thing} was not made by me / somebody else "
                      "used {thing} / there is a strange {thing} in my list / I think {thing} is "
                      "fraud / who did {thing}? I did not"),
}  # fmt: skip
_RULES = {
    "when": listed("Monday / three days / last week / this morning / {number} hours"),
    "number": listed("two / 24 / 48 / five"),
    "open": listed(
        "hello, / hi there, / / / / please help: / so / quick question, / um / sorry to "
        "bother you but"
    ),
    "end": listed(
        "/ / / ? / please / thanks / , I am abroad / , it is for my mother / , I am in a "
        "shop right now / , asking again"
    ),
    "my": listed("my / the / a / this / my last"),
    "agent": listed("Maya / the young man in the chat / your colleague / the hotline / Mr Osei"),
}
_MOODS = (
    (5.0, listed("{agent} solved it in a minute, brilliant / best service I ever had / I am "
                 "delighted with how {agent} handled it / wow, that was quick, all sorted")),
    (3.9, listed("good answer, a little waiting though / {agent} was friendly and it works now / "
                 "helpful on the whole / took two tries but fine in the end")),
    (3.0, listed("it was okay, nothing special / half of my question was answered / neither good "
                 "nor bad / {agent} read a script, it sort of helped")),
    (2.0, listed("I had to explain everything three times / {agent} did not listen properly / not "
                 "really what I needed / slow and rather unhelpful")),
    (1.0, listed("utterly useless, I am closing my account / the worst support I have seen / "
                 "{agent} hung up on me, disgraceful / nothing works and nobody cares")),
)  # fmt: skip


def intents(random: Random) -> DataSet:
    """2,700 messages and 400 closing messages to train on."""
    grammar = Grammar(_RULES, random)
    names = [f"{thing}_{ask}" for thing in _THINGS for ask in _ASKS]
    rows: list[dict[str, Any]] = []
    for number in range(3300):
        name = names[number % 77] if random.random() < 0.8 else random.choice(names)
        thing, ask = next((t, a) for t in _THINGS for a in _ASKS if name == f"{t}_{a}")
        text = "{open} " + random.choice(_ASKS[ask]) + " {end}"
        words = "{my} " + random.choice(_THINGS[thing])
        rows.append(
            {
                "utterance": worn(grammar.say(text, thing=words), random),
                "intent": flipped(name, names, random, 0.05),
            }
        )
    random.shuffle(rows)
    return DataSet(
        "intents",
        "messages to a bank: intent of 77; closing messages: satisfaction 1 to 5",
        {
            "messages": Table("bank-messages", "jsonl", rows, dev=300, test=200),
            "closings": Table(
                "bank-closings", "tsv", _closings(grammar, random), dev=100, test=200
            ),
        },
        {
            "intent": {
                "kind": "classification",
                "columns": {"text": "utterance", "label": "intent"},
                "labels": names,
            },
            "satisfaction": {
                "kind": "regression",
                "columns": {"text": "last message", "label": "CSAT"},
                "range": [1, 5],
            },
        },
        {"intent": "messages", "satisfaction": "closings"},
    )


def _closings(grammar: Grammar, random: Random) -> list[dict[str, Any]]:
    rows = []
    for _ in range(700):
        mood, words = random.choice(_MOODS)
        said = [random.choice(words)]
        if random.random() < 0.5:  # a second half that may be of another mood
            other, more = random.choice([m for m in _MOODS if abs(m[0] - mood) < 1.5])
            mood = (mood + other) / 2
            said.append(random.choice(more))
        about = random.choice(_THINGS[random.choice(list(_THINGS))])
        if random.random() < 0.6:
            said.insert(random.randrange(2), random.choice(["about the ", "it was the "]) + about)
        score = round(number_near(mood, 0.5, (1, 5), random))
        text = worn(grammar.say(". ".join(said) + "."), random)
        rows.append({"last message": text, "CSAT": score})
    return rows
