"""500 reviews in one file: stars from 1 to 5, the topic of five, recommended or not."""

from __future__ import annotations

from random import Random
from typing import Any

from benchmarks.own_tasks.grammar import Grammar, flipped, listed, number_near, worn
from benchmarks.own_tasks.table import DataSet, Table

__all__ = ["reviews"]

_ASPECTS = {
    "food": (
        listed("the soup / our breakfast / the grilled fish / the vegetarian menu / dessert / the "
               "coffee"),
        listed("tasted of summer / was cooked to the point / made us order twice / melted on the "
               "tongue / came in generous portions"),
        listed("was salty beyond eating / arrived cold / tasted of cardboard / was burnt at the "
               "edges / left us hungry"),
    ),
    "room": (
        listed("the bed / our bathroom / the balcony / room {number} / the air conditioning / the "
               "mattress"),
        listed("was spotless / had everything one could wish for / looked brand new / was quiet "
               "all night / smelled fresh"),
        listed("was full of hair / rattled till dawn / had mould in the corners / was tiny and "
               "dark / did not work at all"),
    ),
    "staff": (
        listed("the receptionist / our waiter / the porter / the lady at the desk / the manager / "
               "housekeeping"),
        listed("went out of their way for us / remembered our names / was kindness itself / fixed "
               "everything in minutes / had a tip for every evening"),
        listed("shrugged and walked off / ignored us for an hour / was rude to my mother / never "
               "answered the phone / lied about the bill"),
    ),
    "location": (
        listed("the street / the beach / the walk to the station / the view / the neighbourhood / "
               "the old town"),
        listed("is right around the corner / is a dream at sunset / is lively yet safe / could not "
               "be closer / is worth the trip alone"),
        listed("is an hour away by bus / is one building site / feels unsafe at night / is noisy "
               "from five in the morning / is nothing like the photos"),
    ),
    "price": (
        listed("the bill / what we paid / the rate / parking / the minibar / the extra charge"),
        listed("was a bargain / was lower than we feared / is fair for what you get / included "
               "more than promised / left money for a second week"),
        listed("was outrageous / doubled at check-out / is daylight robbery / had hidden fees / is "
               "far too high for this"),
    ),
}  # fmt: skip
_RULES = {
    "number": listed("12 / 207 / 31 / 5"),
    "who": listed("we / my husband and I / the kids / all four of us / I"),
    "stay": listed(
        "stayed for two nights / came for a weekend / booked in May / stopped on the "
        "way south / were here for a wedding"
    ),
    "very": listed("/ / really / honestly / to be fair, / I must say"),
    "but": listed("but / however, / on the other hand / still, / then again"),
}
_CLOSE = {
    True: listed("we will be back / go there / a warm recommendation / I have told all my friends "
                 "/ / /"),
    False: listed("never again / look elsewhere / save your money / I would not send my worst "
                  "enemy / / /"),
}  # fmt: skip


def reviews(random: Random) -> DataSet:
    """400 reviews to train on; a third of the topics and a quarter of the recommendations blank."""
    grammar = Grammar(_RULES, random)
    rows = [_review(grammar, random) for _ in range(700)]
    names = list(_ASPECTS)
    return DataSet(
        "reviews",
        "hotel reviews in one file: stars 1 to 5, topic of 5, recommended yes or no, with blanks",
        {"reviews": Table("hotel-reviews", "csv", rows, dev=100, test=200)},
        {
            "stars": {
                "kind": "regression",
                "columns": {"text": "Review Text", "label": "Stars"},
                "range": [1, 5],
            },
            "topic": {
                "kind": "classification",
                "columns": {"text": "Review Text", "label": "Topic"},
                "labels": names,
            },
            "recommended": {
                "kind": "classification",
                "columns": {"text": "Review Text", "label": "Recommended?"},
                "labels": ["no", "yes"],
            },
        },
        dict.fromkeys(("stars", "topic", "recommended"), "reviews"),
    )


def _review(grammar: Grammar, random: Random) -> dict[str, Any]:
    topic = random.choice(list(_ASPECTS))
    opinion = random.random()  # share of what is said that is praise
    sentences, praised = [], 0
    count = random.choice((1, 2, 2, 3))
    for i in range(count):
        aspect = topic if i == 0 or random.random() < 0.55 else random.choice(list(_ASPECTS))
        thing, good, bad = _ASPECTS[aspect]
        praise = random.random() < opinion
        praised += praise
        said = f"{{very}} {random.choice(thing)} {random.choice(good if praise else bad)}."
        sentences.append(("{but} " if i and random.random() < 0.3 else "") + said)
    random.shuffle(sentences)
    if random.random() < 0.5:
        sentences.insert(0, "{who} {stay}.")
    share = praised / count
    wanted = share >= 0.5 if share != 0.5 else random.random() < 0.5
    if random.random() < 0.6:
        sentences.append(random.choice(_CLOSE[wanted]) + ".")
    stars = round(number_near(1 + 4 * share, 0.55, (1, 5), random))
    text = grammar.say(" ".join(sentences)).replace(" .", "").replace("..", ".")
    names = list(_ASPECTS)
    return {
        "Review Text": worn(text, random),
        "Stars": stars,
        "Topic": "" if random.random() < 0.33 else flipped(topic, names, random, 0.08),
        "Recommended?": ""
        if random.random() < 0.25
        else flipped("yes" if wanted else "no", ["no", "yes"], random, 0.06),
    }
