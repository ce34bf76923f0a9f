import pytest

from mtbert.config.files import is_pattern, listed, names_of
from mtbert.config.load import load_config, parse_settings
from mtbert.errors import UserError

TASK = {"kind": "regression"}


def settings(**files):
    return parse_settings({"tasks": {"t": {**TASK, **files}}}, "test")


def test_names_of_one_file_and_of_several():
    assert (names_of("a"), names_of(("a", "b"))) == (("a",), ("a", "b"))
    assert (listed("a"), listed(("a", "b"))) == ("a", "a, b")
    assert [is_pattern(name) for name in ("a.csv", "a*", "a?", "[ab]")] == [False] + 3 * [True]


def test_several_files_are_a_list_and_one_in_a_list_is_that_one():
    task = settings(train=["a.csv", "b.csv"], dev={"x": ["c.csv"], "y": ["d", "e"]}).tasks["t"]
    assert task.train == ("a.csv", "b.csv")
    assert task.dev_files == {"x": "c.csv", "y": ("d", "e")}
    assert settings(train=["a"], dev=["b", "c"]).tasks["t"].dev_files == {"dev": ("b", "c")}


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"dev": 0.125}, "tasks.t.dev: found 0.125; to hold out a share write 12.5%"),
        ({"train": []}, "tasks.t.train: expected the name of a file or a list of names, found []"),
        ({"train": [1]}, "tasks.t.train: expected a list of names of files, found 1 in it"),
        ({"train": "a", "dev": ["b", "10%"]}, "'10%' is a share; it cannot stand in a list"),
        ({"train": ["a\0b", "c"]}, "not a name that a file can have"),
        ({"train": "a", "dev": {"x": {"y": "z"}}}, "tasks.t.dev: expected the name of a file"),
    ],
)
def test_what_is_no_list_of_names_is_refused(files, told):
    with pytest.raises(UserError) as error:
        settings(**files)
    assert told in str(error.value)


def test_files_named_on_the_command_line_start_from_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "c").mkdir()
    config = tmp_path / "c" / "c.yaml"
    config.write_text("tasks: {t: {kind: regression, train: x.csv, dev: d}}\n")
    for name in ("p1.csv", "p2.csv"):
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)

    def train(text):
        return load_config(str(config), [f"tasks.t.train={text}"]).tasks["t"].train

    assert train("p*.csv") == str(tmp_path / "p*.csv")
    assert train("[p1.csv, q.csv]") == (str(tmp_path / "p1.csv"), "q.csv")
    assert train("q*.csv") == "q*.csv"


def test_a_file_in_the_lists_of_two_tasks_is_shared():
    tasks = {"a": {**TASK, "train": ["x", "y"], "dev": "d"}, "b": {**TASK, "train": "y"}}
    found = parse_settings({"tasks": tasks}, "test")
    assert found.shares_file(("x", "y"))
    assert found.shares_file("y")
    assert not found.shares_file("x")
