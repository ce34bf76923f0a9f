"""`mtbert init`: two commands from files of many kinds to a run, without editing."""

import pytest
from support.sentences import sentence

from mtbert.cli import main
from mtbert.commands.init import write_config
from mtbert.config.load import load_config
from mtbert.data.completion import completed
from mtbert.data.examples import read_examples
from mtbert.errors import UserError


def table(path, head, row, rows=40, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = head + "".join(row(i) + "\n" for i in range(rows))
    path.write_bytes(text.encode(encoding))
    return path


@pytest.fixture
def reviews(tmp_path):
    return table(tmp_path / "reviews.csv", "Review;Stars;Topic\n",
                 lambda i: f"{sentence(i)};{i % 5 + 1};{('food', 'room')[i % 2]}")  # fmt: skip


def test_the_configuration_is_read_as_train_reads_it(reviews, tmp_path, monkeypatch):
    monkeypatch.setenv("MTBERT_DATA", "/elsewhere")  # the files are named beside the configuration
    output = tmp_path / "sub" / "mine.yaml"
    output.parent.mkdir()
    write_config([reviews], output)
    settings = completed(load_config(str(output)))
    assert {n: t.kind for n, t in settings.tasks.items()} == {
        "stars": "regression", "topic": "classification"
    }  # fmt: skip
    for task in settings.tasks.values():
        assert len(read_examples(settings.data.locate(task.train), task).examples) == 40
        assert task.held_out == 0.1


def test_what_was_guessed_is_shown_with_three_examples_a_task(reviews, tmp_path, capsys):
    output = tmp_path / "config.yaml"
    assert main(["init", str(reviews), "-o", str(output)]) == 0
    shown = capsys.readouterr().out
    assert "separated by semicolons" in shown
    assert shown.count(" → ") == 6
    assert f"{sentence(0)} → food" in shown
    assert "task topic: classification of 2: food, room; 36 train, 4 held out for dev" in shown
    assert shown.rstrip().endswith(f"next: mtbert train {output}")


def test_a_configuration_that_is_there_stays_unless_forced(reviews, tmp_path, capsys):
    output = tmp_path / "config.yaml"
    output.write_text("mine")
    assert main(["init", str(reviews), "-o", str(output)]) == 2
    assert "--force" in capsys.readouterr().err
    assert output.read_text() == "mine"
    assert main(["init", str(reviews), "-o", str(output), "--force"]) == 0
    assert "topic:" in output.read_text()


def test_init_and_train_are_two_commands(reviews, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "reviews.csv"]) == 0
    assert main(["train", "config.yaml", "--dry-run"]) == 0
    plan = capsys.readouterr().out
    assert "stars" in plan
    assert "topic" in plan


def test_a_folder_of_tables_becomes_tasks_with_their_own_files(tmp_path):
    data = tmp_path / "data"
    for part in ("train", "dev"):
        table(data / f"tickets-{part}.csv", "Body,Queue\n",
              lambda i: f"{sentence(i)},{('a', 'b')[i % 2]}")  # fmt: skip
        table(data / f"pairs_{part}.tsv", "first\tsecond\tsame\n",
              lambda i: f"\"{sentence(i)}\t{sentence(i + 1)}\t{('no', 'yes')[i % 2]}")  # fmt: skip
    write_config([data], tmp_path / "c.yaml")
    settings = load_config(str(tmp_path / "c.yaml"))
    files = {n: (t.train, t.dev) for n, t in settings.tasks.items()}
    assert files == {
        "same": ("pairs_train.tsv", "pairs_dev.tsv"),
        "queue": ("tickets-train.csv", "tickets-dev.csv"),
    }


def test_bad_rows_are_left_out_and_told(tmp_path):
    path = table(tmp_path / "a.csv", "text,label\nonly one\n,a\nx y,\n",
                 lambda i: f"{sentence(i)},{'ab'[i % 2]}")  # fmt: skip
    shown = write_config([path], tmp_path / "c.yaml")
    assert "3 bad rows are left out, such as" in shown
    assert load_config(str(tmp_path / "c.yaml")).tasks["a"].on_bad_rows == "skip"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"", "empty file"),
        ("a.csv", b"text,label\n", "no rows"),
        ("a.csv", "text,label\nx,1\n".encode("utf-16"), "UTF-16"),
        ("a.csv", b"a,b\n1,2\n2,3\n3,4\n4,5\n", "no column of texts"),
        ("gone/a.csv", None, "no such file"),
    ],
)
def test_files_without_a_task_are_told_and_nothing_is_written(
    tmp_path, name, content, told, capsys
):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    output = tmp_path / "c.yaml"
    assert main(["init", str(tmp_path / name), "-o", str(output)]) == 2
    assert told in capsys.readouterr().err
    assert not output.exists()


def test_rows_of_which_none_can_be_held_out_are_told(tmp_path):
    path = table(tmp_path / "a.csv", "sentence1,sentence2,label\n",
                 lambda i: f"{sentence(i)},{sentence(i + 1)},{'ab'[i % 2]}")  # fmt: skip
    with pytest.raises(UserError, match="40 usable rows are too few, or share too many texts"):
        write_config([path], tmp_path / "c.yaml")


@pytest.mark.parametrize(("classes", "told"), [(20, True), (2, False)])
def test_a_larger_share_than_asked_for_is_explained(classes, told, tmp_path, capsys):
    """Of twenty classes with three rows each every third row is held out, not every tenth."""
    rows = [f"{sentence(i)} number{i},class {i % classes}" for i in range(60)]
    file = tmp_path / "few.csv"
    file.write_text("\n".join(["text,topic", *rows]) + "\n")
    assert main(["init", str(file), "--output", str(tmp_path / "few.yaml")]) == 0
    assert ("for each class has a row there" in capsys.readouterr().out) == told
