import pytest

from mtbert.data.guess.files import TableFiles
from mtbert.data.guess.proposal import propose
from mtbert.errors import UserError


@pytest.fixture
def tasks(tmp_path):
    """Keys of the tasks that are proposed for one table, by name."""

    def found(train, dev=None, test=None):
        (table,) = propose([TableFiles(train.stem, train, dev, test)], tmp_path)
        return {task.name: task.fields for task in table.tasks}, table.notes

    return found


def test_columns_of_one_table_are_tasks_of_their_names(tasks, write, sentence):
    path = write("tickets.csv", "No,Body,Queue,Urgency\n",
                 lambda i: f"T{i},{sentence(i)},{('bill', 'login')[i % 2]},{i % 11}")  # fmt: skip
    found, _ = tasks(path)
    same = {"train": "tickets.csv", "dev": "10%"}
    assert found == {
        "queue": {
            "kind": "classification", **same,
            "columns": {"text": "Body", "label": "Queue", "id": "No"}, "labels": ["bill", "login"],
        },
        "urgency": {
            "kind": "regression", **same,
            "columns": {"text": "Body", "label": "Urgency", "id": "No"}, "range": [0, 10],
        },
    }  # fmt: skip


def test_a_column_called_label_gives_the_task_the_name_of_its_file(tasks, write, sentence):
    path = write("Mäh 2.csv", "text,label\n", lambda i: f"{sentence(i)},{i % 3}")
    assert list(tasks(path)[0]) == ["mah_2"]


def test_what_files_do_not_show_is_written_down(tasks, write, sentence):
    path = write("a.csv", "", lambda i: f"{i % 4 + 1},{sentence(i)},{sentence(i, 30)}")
    (fields,) = tasks(path)[0].values()
    assert fields["format"] == {"header": False, "separator": "comma"}
    assert fields["columns"] == {"text": "3", "label": "1"}
    path = write("b.csv", "text;Note\n", lambda i: f"{sentence(i)} ä;{i % 5},5", encoding="cp1252")
    (fields,) = tasks(path)[0].values()
    assert fields["format"] == {"encoding": "cp1252", "decimal": "comma"}


def test_an_id_that_is_not_unique_in_every_file_is_not_used(tasks, write, sentence):
    train = write("a-train.csv", "id,text,label\n", lambda i: f"{i},{sentence(i)},{i % 2}")
    same = write("a-dev.csv", "id,text,label\n", lambda i: f"{i // 2},{sentence(i)},{i % 2}")
    assert tasks(train)[0]["a_train"]["columns"]["id"] == "id"
    assert tasks(train, same)[0]["a_train"]["columns"]["id"] is False


def test_classes_that_only_the_dev_file_has_are_named_and_a_range_that_it_breaks_is_not(
    tasks, write, sentence
):
    train = write(
        "t.csv", "text,label,stars\n", lambda i: f"{sentence(i)},{'ab'[i % 2]},{i % 5 + 1}"
    )
    dev = write("d.csv", "text,label,stars\n", lambda i: f"{sentence(i)},{'abc'[i % 3]},{i % 7}")
    found, notes = tasks(train, dev)
    assert found["t"]["labels"] == ["a", "b", "c"]
    assert "range" not in found["stars"]
    assert "no example of 'c'" in notes[0]


def test_a_dev_file_without_labels_is_not_used_and_a_test_file_needs_none(tasks, write, sentence):
    train = write("t.csv", "text,label\n", lambda i: f"{sentence(i)},{i % 2}")
    bare = write("u.csv", "text\n", sentence)
    found, notes = tasks(train, bare, bare)
    assert (found["t"]["dev"], found["t"]["test"]) == ("10%", "u.csv")
    assert "no column 'label'" in notes[0]


def test_many_columns_of_yes_and_no_are_the_labels_of_one_task(tasks, write, sentence):
    names = "toxic,obscene,threat,insult"
    path = write("t.csv", f"text,{names}\n", lambda i: f"{sentence(i)},{i % 2},{i % 3 // 2},1,0"
                 if i else f"{sentence(i)},1,1,0,1")  # fmt: skip
    (fields,) = tasks(path)[0].values()
    assert fields["kind"] == "multilabel_classification"
    assert fields["columns"] == {"text": "text", "labels": names.split(",")}
    assert "labels" not in fields


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n1,2\n3,4\n5,6\n7,8\n", "no column of texts found among 'a', 'b'"),
        ("text\na b c d\ne f g h\ni j k l\nm n o p\n", "no column of labels found among 'text'"),
        ("text,label\na b c d,1\n", "1 rows that can be read, expected 4 at least"),
    ],
)
def test_what_a_table_lacks_is_told(tasks, write, content, told):
    with pytest.raises(UserError, match=told):
        tasks(write("t.csv", content))


def test_a_class_of_the_dev_file_in_other_letter_case_is_none_of_its_own(tasks, write, sentence):
    head = "text,queue\n"
    train = write("t-train.csv", head, lambda i: f"{sentence(i)},{('bill', 'login')[i % 2]}")
    dev = write("t-dev.csv", head, lambda i: f"{sentence(i)},{('Bill', 'login', 'new')[i % 3]}")
    found, notes = tasks(train, dev)
    assert found["queue"]["labels"] == ["bill", "login", "new"]
    assert any("'Bill', which differs from 'bill' in letter case only" in note for note in notes)
