"""The text says what the proposal does: names of every kind are read back as they are."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbert.config.yaml import parse_yaml
from mtbert.data.guess.columns import Column, TableProfile
from mtbert.data.guess.config_text import config_text
from mtbert.data.guess.files import TableFiles
from mtbert.data.guess.proposal import ProposedTable, ProposedTask
from mtbert.data.guess.roles import Roles
from mtbert.data.guess.targets import Target

AWKWARD = [
    "yes", "No", "null", "~", "1", "1.5", "1e3", "0x1F", ".5", "-", "a: b", "a #b", "#1", "%",
    "10%", "'", '"', "\\", "a\tb", "a\nb", " a", "é", "😀", "\u2028", "[x]", "{", "*a", "&a", "!a",
    "", ".", ".inf", "true", "on", "2024-01-01", "1:30", "a, b", "=", "<<", "?", "- a", "@", "`",
]  # fmt: skip


def read_back(labels, column="text", folder="."):
    fields = {
        "kind": "classification", "train": "t.csv", "dev": "10%",
        "columns": {"text": column, "label": column, "id": False}, "labels": list(labels),
    }  # fmt: skip
    target = Target("classification", dict.fromkeys(labels, 1))
    path = Path("t\nx.csv")
    roles = Roles(left_out={f"{column}!": "is \n empty"})
    profile = TableProfile(path, None, 1, columns={column: Column(column)})
    tasks = [ProposedTask("name", fields, target)]
    table = ProposedTable(TableFiles("t", path), profile, roles, tasks, ["a\nnote"])
    tree = parse_yaml(config_text([table], folder, "mtbert init 't\nx.csv'"), "t")
    assert tree["data"] == {"dir": folder}
    return tree["tasks"]["name"], fields


@pytest.mark.parametrize("text", AWKWARD)
def test_an_awkward_name_is_read_back_as_it_is(text):
    found, fields = read_back([text, "other"], column=text or "x", folder=text or ".")
    assert found == fields


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=9))
def test_any_names_are_read_back_as_they_are(labels):
    found, fields = read_back(labels)
    assert found == fields
