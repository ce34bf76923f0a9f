"""Shop listings: pairs that are one product or not, how alike they are, and departments."""

# ruff: noqa: E501

from __future__ import annotations

from random import Random
from typing import Any

from benchmarks.own_tasks.grammar import flipped, listed, number_near, worn
from benchmarks.own_tasks.table import DataSet, Table

__all__ = ["products"]

_CATEGORIES = {
    "phones": "smartphone / mobile phone / handset",
    "laptops": "laptop / notebook computer / ultrabook",
    "headphones": "headphones / earbuds / headset",
    "cameras": "camera / compact camera / digital camera",
    "kettles": "kettle / water boiler / electric jug",
    "mixers": "stand mixer / hand blender / food processor",
    "drills": "cordless drill / power drill / drill driver",
    "bikes": "city bike / trekking bicycle / e-bike",
    "tents": "tent / dome tent / camping shelter",
    "shoes": "running shoes / trainers / hiking boots",
    "chairs": "office chair / desk chair / armchair",
    "toys": "building blocks / toy train set / wooden puzzle",
}
_BRANDS = listed(
    "Norvell / Kestrel / Aumann / Tavira / Brightfox / Oakline / Solvanta / Mirko / Petrel"
)
_COLOURS = {
    "black": "black / jet black / schwarz",
    "white": "white / snow white / weiß",
    "red": "red / ruby / rot",
    "blue": "blue / navy / blau",
    "green": "green / olive / grün",
}
_EXTRA = listed(
    "free shipping / new in box / 2 year warranty / refurbished / top seller / limited offer / with "
    "charger / for beginners / gift idea / B-stock, like new"
)
_LETTERS = "ABCDEFGHKLMNPRSTX"
_SIZES = listed("S / M / L / 128 GB / 256 GB / 1.7 l / 18 V / 28 inch / set of 2 / XL")


def products(random: Random) -> DataSet:
    """600 pairs and 300 listings to train on."""
    pairs = [_pair(random) for _ in range(900)]
    listings = []
    names = list(_CATEGORIES)
    for number in range(600):
        item = _item(random)
        listings.append(
            {
                "sku": f"A{number:05d}",
                "title": _title(item, random),
                "department": flipped(item["category"], names, random, 0.07),
            }
        )
    return DataSet(
        "products",
        "shop listings: pairs match or not, similarity 0 to 1; department of 12",
        {
            "pairs": Table("product-pairs", "csv", pairs, dev=100, test=200),
            "listings": Table("listings", "csv", listings, dev=100, test=200),
        },
        {
            "match": {
                "kind": "pair_classification",
                "columns": {"text": "left title", "text2": "right title", "label": "match"},
                "labels": ["false", "true"],
            },
            "similarity": {
                "kind": "pair_regression",
                "columns": {"text": "left title", "text2": "right title", "label": "similarity"},
                "range": [0, 1],
            },
            "department": {
                "kind": "classification",
                "columns": {"text": "title", "label": "department"},
                "labels": names,
            },
        },
        {"match": "pairs", "similarity": "pairs", "department": "listings"},
    )


def _item(random: Random) -> dict[str, str]:
    return {
        "category": random.choice(list(_CATEGORIES)),
        "brand": random.choice(_BRANDS),
        "model": f"{random.choice(_LETTERS)}{random.choice('-  ')}{random.randrange(1, 90)}0",
        "colour": random.choice(list(_COLOURS)),
        "size": random.choice(_SIZES),
    }


def _title(item: dict[str, str], random: Random) -> str:
    parts = [
        item["brand"],
        item["model"].replace(" ", ""),
        random.choice(listed(_CATEGORIES[item["category"]])),
        random.choice(listed(_COLOURS[item["colour"]])),
        item["size"] if random.random() < 0.7 else "",
        random.choice(_EXTRA) if random.random() < 0.4 else "",
    ]
    if random.random() < 0.35:
        parts[0], parts[2] = parts[2], parts[0]
    if random.random() < 0.15:
        parts[0] = parts[0].upper()
    return worn(
        random.choice(listed("{} / {} ,")[:1]).format(" ".join(filter(None, parts))), random
    )


def _pair(random: Random) -> dict[str, Any]:
    """Two listings that agree in all, or in some, of what a product is."""
    left = _item(random)
    right = dict(left)
    change = random.choice(([], [], [], ["colour"], ["model"], ["size"], ["brand", "model"],
                            ["model", "colour", "size"], ["category", "model"],
                            ["category", "brand", "model", "colour", "size"]))  # fmt: skip
    other = _item(random)
    for part in change:
        right[part] = other[part]
    weights = {"category": 0.4, "brand": 0.2, "model": 0.2, "colour": 0.1, "size": 0.1}
    alike = sum(weight for part, weight in weights.items() if left[part] == right[part])
    same = left["category"] == right["category"] and left["model"] == right["model"] and (
        left["brand"] == right["brand"]
    )  # fmt: skip
    return {
        "left title": _title(left, random),
        "right title": _title(right, random),
        "match": flipped(str(same).lower(), ["false", "true"], random, 0.05),
        "similarity": round(number_near(alike, 0.06, (0, 1), random), 2),
    }
