import pytest

from mtbert.data.guess.files import data_files, grouped
from mtbert.errors import UserError


@pytest.fixture
def tables(tmp_path):
    """The tables of files with these names, by the names of their parts."""

    def found(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.touch()
        made, unused = grouped([tmp_path / name for name in names])
        return [
            (t.name, t.train.name, t.dev and t.dev.name, t.test and t.test.name) for t in made
        ], [path.name for path in unused]

    return found


def test_names_tell_the_parts_of_a_table(tables):
    assert tables("d/train.csv", "d/dev.csv", "d/test.csv") == (
        [("d", "train.csv", "dev.csv", "test.csv")], []
    )  # fmt: skip
    assert tables("sst_validation.tsv", "sst_train.tsv", "my.train.v2.csv", "my.val.v2.csv") == (
        [
            ("sst", "sst_train.tsv", "sst_validation.tsv", None),
            ("my.v2", "my.train.v2.csv", "my.val.v2.csv", None),
        ],
        [],
    )


def test_other_names_are_tables_of_their_own(tables):
    assert tables("a.csv", "b.jsonl")[0] == [
        ("a", "a.csv", None, None), ("b", "b.jsonl", None, None)
    ]  # fmt: skip


def test_a_part_without_a_train_file_of_its_name_goes_to_the_one_that_is_meant(tables):
    assert tables("reviews.csv", "test.csv")[0] == [("reviews", "reviews.csv", None, "test.csv")]
    course = ("ids-sst-train.csv", "ids-sst-dev.csv", "ids-sst-test-student.csv", "sts-train.csv")
    assert tables(*course)[0][0] == ("ids-sst", *course[:3])
    assert tables("test.csv")[0][0][1] == "test.csv"  # given alone, it is to train on
    assert tables("a.csv", "b.csv", "x-test.csv")[1] == ["x-test.csv"]


def test_two_files_of_one_part_or_nothing_to_train_on_are_refused(tables):
    with pytest.raises(UserError, match="both are taken for the train file"):
        tables("t-train.csv", "t-train.jsonl")
    with pytest.raises(UserError, match="nothing to train on"):
        tables("a-test.csv", "b-test.csv")


def test_a_folder_stands_for_the_data_files_in_it(tmp_path):
    for name in ("b.csv", "a.jsonl", "README.md", ".hidden.csv", "c.yaml"):
        (tmp_path / name).touch()
    names = [path.name for path in data_files([tmp_path, tmp_path / "b.csv"])]
    assert names == ["a.jsonl", "b.csv"]
    (tmp_path / "empty").mkdir()
    for wrong, told in (("empty", "no data files"), ("gone.csv", "no such file")):
        with pytest.raises(UserError, match=told):
            data_files([tmp_path / wrong])
