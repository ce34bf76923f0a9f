"""`mtbert predict`: rows in, predictions out, in any format and order of columns."""

import io
import json

import pytest

from mtbert.commands.predict import predict_file
from mtbert.errors import UserError


def read_jsonl(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def predict(finished, tmp_path):
    """Write an input file, predict, and return the rows of the output file."""

    def predict_rows(content, name="rows.csv", task="sst"):
        raw = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(raw)
        predict_file(finished, task, str(tmp_path / name), tmp_path / "out.jsonl")
        return read_jsonl((tmp_path / "out.jsonl").read_text("utf-8"))

    return predict_rows


def test_csv_tsv_and_jsonl_of_the_same_rows_give_the_same_answers(predict):
    rows = [("a", "the good film"), ("é", "a cat"), ("c", "")]
    found = predict("id,sentence\n" + "".join(f"{i},{t}\n" for i, t in rows))
    assert [row["id"] for row in found] == ["a", "é", "c"]
    assert list(found[0]) == ["id", "prediction", "label", "score", "probabilities"]
    assert predict("id\tsentence\n" + "".join(f"{i}\t{t}\n" for i, t in rows)) == found
    records = [json.dumps({"id": i, "sentence": t, "label": "?"}) for i, t in rows]
    assert predict("\n".join(records), "rows.jsonl") == found


def test_standard_input_is_read_and_standard_output_written(finished, predict, monkeypatch, capsys):
    content = "id,sentence\na,the good film\nb,moon\n"
    expected = predict(content)
    stdin = type("Stdin", (), {"buffer": io.BytesIO(content.encode())})
    monkeypatch.setattr("sys.stdin", stdin)
    predict_file(finished, "sst", "-", None)
    assert read_jsonl(capsys.readouterr().out) == expected


def test_a_bad_row_is_told_by_line_and_leaves_no_file(predict, tmp_path):
    with pytest.raises(UserError, match=r"rows\.csv:4: found 1 columns.*fix the row"):
        predict("id,sentence\na,film\nb,film\nc\n")
    assert [p.name for p in tmp_path.iterdir()] == ["rows.csv"]


def test_a_task_that_the_run_has_not_is_refused(predict):
    with pytest.raises(UserError, match="--task: found 'film', expected one of sst, para, sts"):
        predict("id,sentence\na,b\n", task="film")
