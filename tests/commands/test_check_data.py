import pytest

from mtbert.commands.check_data import check_config, check_files
from mtbert.errors import UserError

HEAD = "id,sentence,label\n"


@pytest.fixture
def check(toy, tmp_path):
    """Check a configuration of the task sst with this training file."""

    def check_rows(rows, *overrides, **task):
        (tmp_path / "t.csv").write_text(HEAD + rows)
        tree = toy.tree("sst")
        tree["tasks"]["sst"] |= {"train": str(tmp_path / "t.csv"), **task}
        return check_config(
            str(toy.config(tmp_path / "run.yaml", tasks=tree["tasks"])), list(overrides)
        )

    return check_rows


def test_counts_labels_lengths_and_leaks_are_reported(check):
    text, clean = check("a,the film,good\nb,the good sun,bad\nc,moon,bad\n")
    assert clean
    train, dev, test = (text.index(f"sst {name}: ") for name in ("train", "dev", "test"))
    part = text[train:dev]
    assert "3 examples, 0 bad rows" in part
    # 2, 3 and 1 words, and [CLS] and [SEP] each.
    assert "tokens: mean 4.0, longest 5, 0 truncated to 16" in part
    assert [line.split() for line in part.splitlines()[-3:]] == [
        ["1", "to", "16", "tokens", "3", "100.0%"],
        ["bad", "2", "66.7%"],
        ["good", "1", "33.3%"],
    ]
    assert "8 examples" in text[dev:test]
    assert "bad " not in text[test:].replace("bad rows", "")


def test_truncated_texts_are_counted(check):
    text, _ = check("a,the film,good\nb,the good sun,bad\n", "encoder.max_length=4")
    assert "1 truncated to 4" in text


def test_dev_examples_in_train_are_counted(check, toy):
    line = (toy.folder / "sst-dev.csv").read_text("utf-8").splitlines()[1]
    text, clean = check(f"{line}\nother,sea,bad\n")
    assert "1 of these are also in train" in text
    assert clean


def test_bad_rows_are_listed_by_line_and_counted(check):
    rows = "".join(f"r{i},a film,{'good' if i else 'great'}\n" for i in range(3))
    text, clean = check(rows + "r4,,bad\n")
    assert not clean
    assert "2 examples, 2 bad rows" in text
    assert "t.csv:2: column 'label': label 'great'" in text
    assert "t.csv:5: empty text" in text


def test_many_bad_rows_are_cut_and_counted(check):
    text, clean = check("a,film,good\n" + "".join(f"r{i},film,x\n" for i in range(30)))
    assert not clean
    assert text.count("t.csv:") == 3
    assert "… and 27 more rows like these" in text
    assert "likely cause: the file has labels that `labels` does not name: 'x'" in text


def test_bad_rows_that_are_to_be_skipped_are_clean(check):
    text, clean = check("a,film,good\nb,film,x\n", on_bad_rows="skip")
    assert clean
    assert "1 bad rows" in text


def test_values_of_a_regression_are_shown_in_five_parts(toy, tmp_path):
    text, clean = check_config(str(toy.config(tmp_path / "run.yaml", "sts")))
    assert clean
    rows = [line.split() for line in text.splitlines() if line.strip().startswith("label")]
    assert [row[1:4] for row in rows[:5]] == [
        ["0", "to", "1"], ["1", "to", "2"], ["2", "to", "3"], ["3", "to", "4"], ["4", "to", "5"],
    ]  # fmt: skip
    assert [int(row[4]) for row in rows[:5]] == [7, 0, 7, 0, 6]


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        (["1", "1"], 1),
        (["1", "1.0000000000000002"], 1),
        (["1e-320", "0"], 5),
        (["-3.4e38", "3.4e38"], 5),
    ],
)
def test_labels_that_are_almost_equal_or_far_apart_are_counted(toy, tmp_path, values, parts):
    rows = "".join(f"{i},a film,a plot,{value}\n" for i, value in enumerate(values))
    (tmp_path / "t.csv").write_text("id,sentence1,sentence2,label\n" + rows)
    tree = toy.tree("sts")
    del tree["tasks"]["sts"]["range"]
    tree["tasks"]["sts"] |= {"train": str(tmp_path / "t.csv")}
    text, clean = check_config(str(toy.config(tmp_path / "run.yaml", tasks=tree["tasks"])))
    assert clean
    shown = text[: text.index("sts dev")].splitlines()
    counts = [int(line.split()[-2]) for line in shown if line.strip().startswith("label")]
    assert sum(counts) == 2
    assert len(counts) <= parts


def test_a_file_alone_is_checked_for_its_form(tmp_path):
    file = tmp_path / "rows.tsv"
    file.write_text("id\tsentence\tlabel\na\tx\t\nb\t\t1\nc\ty\n")
    text, clean = check_files([file])
    assert not clean
    assert text.splitlines() == [
        f"{file}: 3 rows, columns: id, sentence, label",
        "  1 blank in column 'label'",
        "  1 blank in column 'sentence'",
        f"  {file}:4: found 2 columns, expected 3 as in the first line",
    ]


def test_a_jsonl_file_alone_is_checked_too(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"sentence": "a"}\n{"sentence": ""}\n')
    text, clean = check_files([file])
    assert clean
    assert "2 rows, columns: JSONL" in text
    with pytest.raises(UserError, match="no such file"):
        check_files([tmp_path / "missing.csv"])


def test_repeats_contradictions_and_empty_classes_are_told(check):
    rows = "a,the film,good\nb,the film,good\nc,the cat,good\nd,the cat,bad\n"
    text, clean = check(rows, labels=["bad", "good", "so"])
    assert clean
    part = text[: text.index("sst dev")]
    assert "2 examples repeat the texts of another one in this file" in part
    assert "1 texts occur with different labels: rows c, d" in part
    assert "no example of so: such classes cannot be learned" in part
    assert "no example of so: such classes are not measured here" in text


def test_one_number_alone_is_told(check):
    rows = "a,the film,7\nb,the cat,7.0\nc,moon,7\nd,sun,7\n"
    text, clean = check(rows, kind="regression", labels=None, dev="50%", test=None)
    assert clean, text
    assert "every label is 7: nothing can be learned" in text
    assert "every label is 7: no correlation can be measured" in text


def test_why_no_row_can_be_used_is_told_and_the_other_files_too(check):
    text, clean = check("a,film,Good\nb,film,Bad\n", on_bad_rows="skip")
    assert not clean
    assert "t.csv:2: column 'label': label 'Good'" in text
    assert "sst dev: " in text and "8 examples" in text


def test_a_bad_or_missing_test_file_does_not_keep_a_run_from_starting(check, tmp_path):
    text, clean = check("a,film,good\nb,sun,bad\n", test=str(tmp_path / "missing.csv"))
    assert clean
    assert "missing.csv: no such file" in text
    _, clean = check("a,film,good\nb,sun,bad\n", dev=str(tmp_path / "missing.csv"))
    assert not clean


def test_words_that_the_encoder_does_not_know_are_counted(check):
    text, _ = check("a,xyzzy plugh,good\nb,film,bad\n")
    assert "unknown to the encoder's vocabulary" in text


def test_dev_texts_that_another_task_trains_on_are_told(toy, tmp_path):
    tree = toy.tree("sst")
    tree["tasks"]["other"] = tree["tasks"]["sst"] | {"train": "sst-dev.csv", "dev": "sst-train.csv"}
    text, clean = check_config(str(toy.config(tmp_path / "run.yaml", tasks=tree["tasks"])))
    assert clean

    def texts(name):
        return {row.split(",")[1] for row in (toy.folder / name).read_text().splitlines()[1:]}

    number = len(texts("sst-dev.csv") - texts("sst-train.csv"))
    assert f"{number} texts of sst dev are in the train set of other" in text


def test_files_that_share_texts_are_told(tmp_path, call):
    head = "id,text,mood\n"
    long = "a text that is long enough"
    (tmp_path / "train").write_text(
        head + "".join(f"{i},{long} {i % 4},{i % 3}\n" for i in range(8))
    )
    (tmp_path / "dev.csv").write_text(head + f"1,{long} 3,0\n2,{long} 9,0\n")
    text, clean = check_files([tmp_path / "train", tmp_path / "dev.csv"])
    assert clean
    assert "4 rows repeat the text of another one ('text')" in text
    assert "4 texts occur with different values in column 'mood'" in text
    assert f"{tmp_path / 'dev.csv'}: 1 texts are also in {tmp_path / 'train'}" in text
    assert call("data", "check", tmp_path / "train")[0] == 0
