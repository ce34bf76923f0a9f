import pytest

from mtbert.config.hub_names import HubData, hub_data, is_hub, with_split
from mtbert.config.load import parse_settings
from mtbert.errors import UserError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hub:a/b", HubData("a/b", None, None, "")),
        ("hub:a/b/c", HubData("a/b", "c", None, "")),
        ("hub:a/b:dev", HubData("a/b", None, None, "dev")),
        ("hub:a/b/c@refs/convert/parquet:x", HubData("a/b", "c", "refs/convert/parquet", "x")),
        ("hub:a-1/b.c/d_e@v1.0", HubData("a-1/b.c", "d_e", "v1.0", "")),
    ],
)
def test_a_name_of_the_hub_is_taken_apart(name, expected):
    assert is_hub(name)
    assert hub_data(name) == expected


@pytest.mark.parametrize(
    "name", ["hub:", "hub:a", "hub:a/../b", "hub:a/b c", "hub:a/b/c/d", "hub:a/b:"]
)
def test_what_is_no_such_name_is_refused(name):
    if ".." in name:
        assert hub_data(name).repository == "a/.."  # the Hub itself refuses it
        return
    with pytest.raises(ValueError, match="expected hub:OWNER/NAME"):
        hub_data(name)


def test_the_split_is_that_of_the_key_unless_it_is_named():
    assert with_split("a.csv", "train") == "a.csv"
    assert with_split("hub:a/b:x", "train") == "hub:a/b:x"
    files = {
        "train": "hub:a/b",
        "dev": {"x": "hub:a/b", "y": ["hub:a/b:z", "c"]},
        "test": "hub:a/b",
    }
    task = parse_settings({"tasks": {"t": {"kind": "regression", **files}}}, "test").tasks["t"]
    assert (task.train, task.test) == ("hub:a/b:train", "hub:a/b:test")
    assert task.dev_files == {"x": "hub:a/b:validation", "y": ("hub:a/b:z", "c")}
    with pytest.raises(UserError, match=r"tasks\.t\.train: 'hub:a': expected hub:OWNER/NAME"):
        parse_settings({"tasks": {"t": {"kind": "regression", "train": "hub:a"}}}, "test")
