import contextlib
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbert.config.format import FormatSettings
from mtbert.config.tasks import TaskSettings
from mtbert.data.examples import Example, LeftOut, iterate_examples, parse_rows, read_examples
from mtbert.data.label_values import parse_label
from mtbert.data.readers.table import read_table
from mtbert.errors import UserError

HEAD = "id,sentence,label\n"


@pytest.fixture
def problems_of(write, make_task):
    """Problems of a file's rows, without the file's folder, and its usable examples."""

    def problems(content, name="rows.csv", **task):
        path = write(content, name)
        found = read_examples(path, make_task(on_bad_rows="skip", **task))
        return [p.removeprefix(f"{path.parent}/") for p in found.left_out.problems], found.examples

    return problems


def test_a_row_becomes_an_example(write, make_task):
    path = write(HEAD + "r1,  A fine film . ,good\nr2,Bad,bad\n")
    found = read_examples(path, make_task())
    assert found.path == path
    assert found.examples == [
        Example("r1", ("A fine film .",), 1, 2),
        Example("r2", ("Bad",), 0, 3),
    ]
    assert (found.left_out.problems, found.left_out.unlabelled, found.left_out.unused_columns) == (
        [],
        0,
        (),
    )


def test_a_pair_has_two_texts_and_columns_can_be_mapped(write, make_task):
    path = write("key\tq1\tq2\tsame\textra\nx\ta\tb\t1.0\t9\n", "rows.tsv")
    columns = {"id": "key", "text": "q1", "text2": "q2", "label": "same"}
    found = read_examples(path, make_task(kind="pair_classification", columns=columns))
    assert found.examples == [Example("x", ("a", "b"), 1, 2)]
    assert found.left_out.unused_columns == ("extra",)


def test_rows_without_id_column_are_numbered_from_one(write, make_task):
    found = read_examples(write("sentence,label\na,bad\nb,good\n"), make_task())
    assert [e.id for e in found.examples] == ["1", "2"]


def test_an_unnamed_index_column_is_no_bother(write, make_task):
    content = "\tid\tsentence\tlabel\n0\tx\ta\tbad\n"
    found = read_examples(write(content), make_task())
    assert found.examples == [Example("x", ("a",), 0, 2)]
    assert found.left_out.unused_columns == ()


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("r2,b", "found 2 columns, expected 3 as in the first line"),
        ("r2,b,good,x", "found 4 columns, expected 3 as in the first line"),
        ("r2,,good", "empty text in column 'sentence', expected text"),
        ("r2,  ,good", "empty text in column 'sentence', expected text"),
        ("r2,b,", "blank label, expected one of bad, good or a number from 0 to 1"),
        ("r2,b,great", "column 'label': label 'great', expected one of bad, good"),
        ("r2,b,2", "column 'label': label '2', expected one of bad, good"),
        ("r2,b,-1", "column 'label': label '-1', expected one of"),
        ("r2,b,0.5", "column 'label': label '0.5', expected one of"),
        ("r2,b,nan", "column 'label': label 'nan', expected one of"),
        ("r2,b,inf", "column 'label': label 'inf', expected one of"),
        ("r1,b,good", "id 'r1' is also in line 2, expected unique ids"),
    ],
)
def test_a_bad_row_is_told_as_file_line_found_expected(problems_of, row, problem):
    problems, examples = problems_of(f"{HEAD}r1,a,good\n{row}\nr3,c,bad\n")
    assert len(problems) == 1
    assert problems[0].startswith(f"rows.csv:3: {problem}")
    assert [e.id for e in examples] == ["r1", "r3"]


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"id": "b", "sentence": "x"}, "no column 'label', expected one"),
        ({"id": "b", "label": "good"}, "no column 'sentence', expected one"),
        ({"id": "b", "sentence": "x", "label": None}, "blank label"),
        ({"id": "b", "sentence": ["x"], "label": 1}, "found a list in 'sentence'"),
        ({"id": "b", "sentence": "x", "label": [1]}, "found a list in 'label'"),
        ({"id": "b", "sentence": "x", "label": {"v": 1}}, "'label' is an object with 'label.v'"),
        ({"id": "b", "sentence": None, "label": 1}, "empty text"),
    ],
)
def test_a_bad_json_record_is_told_by_its_line(problems_of, record, problem):
    first = {"id": "a", "sentence": "x", "label": 1}
    lines = f"{json.dumps(first)}\n\n{json.dumps(record)}\n"
    problems, examples = problems_of(lines, "rows.jsonl")
    assert len(problems) == 1
    assert problems[0].startswith(f"rows.jsonl:3: {problem}")
    assert examples == [Example("a", ("x",), 1, 1)]


def test_line_numbers_stay_right_behind_a_quoted_newline(problems_of):
    problems, examples = problems_of(HEAD + 'r1,"a\nb",good\nr2,c,what\n')
    assert problems[0].startswith("rows.csv:4: ")
    assert examples[0].texts == ("a\nb",)


def test_bad_rows_stop_the_reading_by_default_with_advice(write, make_task):
    path = write(HEAD + "r1,a,good\nr2,b,what\n")
    with pytest.raises(UserError) as error:
        read_examples(path, make_task())
    assert f"{path}:3: " in str(error.value)
    assert "on_bad_rows: skip" in str(error.value)


def test_bad_rows_of_one_kind_are_told_once_with_their_number(write, make_task):
    path = write(HEAD + "".join(f"r{i},a,what\n" for i in range(25)))
    with pytest.raises(UserError) as error:
        read_examples(path, make_task())
    lines = str(error.value).splitlines()
    assert lines[0] == f"{path}: 25 problems"
    assert [line.split(":")[1] for line in lines[1:4]] == ["2", "3", "4"]
    assert "and 22 more rows like these" in lines[4]
    assert lines[5].startswith("likely cause: ")


def test_a_file_of_bad_rows_alone_is_refused_though_they_are_skipped(write, make_task):
    with pytest.raises(UserError, match="no usable row"):
        read_examples(write(HEAD + "r1,a,what\n"), make_task(on_bad_rows="skip"))
    with pytest.raises(UserError, match="no usable row"):
        read_examples(write(HEAD), make_task())


@pytest.mark.parametrize(
    ("header", "columns", "message"),
    [
        ("id,text,label", {}, ":1: no column 'sentence', found 'id', 'text', 'label'"),
        ("id,sentence", {}, ":1: no column 'label'"),
        ("sentence,label", {"id": "key"}, ":1: no column 'key'"),
        ("sentence,sentence,label", {}, ":1: column 'sentence' occurs twice"),
        ("id,id,sentence,label", {}, ":1: column 'id' occurs twice"),
    ],
)
def test_a_missing_or_doubled_column_is_told_once(write, make_task, header, columns, message):
    path = write(f"{header}\n" + "a,b,c,d\n" * 3)
    with pytest.raises(UserError) as error:
        read_examples(path, make_task(columns=columns, on_bad_rows="skip"))
    assert f"{path}{message}" in str(error.value)


def test_a_blank_label_is_unlabelled_where_the_file_serves_several_tasks(write, make_task):
    path = write(HEAD + "r1,a,good\nr2,b,\nr3,c,  \n")
    found = read_examples(path, make_task(), blank_is_unlabelled=True)
    assert [e.id for e in found.examples] == ["r1"]
    assert (found.left_out.unlabelled, found.left_out.problems) == (2, [])


def test_a_null_label_is_unlabelled_where_the_file_serves_several_tasks(write, make_task):
    lines = '{"sentence": "a", "label": "bad"}\n{"sentence": "b", "label": null}\n'
    found = read_examples(write(lines, "x.jsonl"), make_task(), blank_is_unlabelled=True)
    assert (len(found.examples), found.left_out.unlabelled) == (1, 1)


def test_to_predict_labels_are_not_looked_at_and_texts_may_be_empty(write, make_task):
    path = write(HEAD + "r1,a,nonsense\nr2,,good\n")
    found = read_examples(path, make_task(), labelled=False)
    assert found.examples == [Example("r1", ("a",), None, 2), Example("r2", ("",), None, 3)]
    without = read_examples(write("id,sentence\nr1,a\n"), make_task(), labelled=False)
    assert without.examples == [Example("r1", ("a",), None, 2)]


def test_to_predict_rows_come_one_by_one_from_a_stream(make_task):
    stream = io.BytesIO(b'sentence\na\n"b\nc"\n')
    rows = parse_rows(read_table(stream, "-"), make_task(), labelled=False)
    assert next(rows) == Example("1", ("a",), None, 2)
    assert next(rows) == Example("2", ("b\nc",), None, 3)


@pytest.mark.parametrize(
    ("labels", "text", "expected"),
    [
        (["bad", "good"], "good", 1),
        (["bad", "good"], "1", 1),
        (["bad", "good"], "1.0", 1),
        (["bad", "good"], "Good", None),
        (["0", "1", "2"], "2.0", 2),
        (["0", "1", "2"], "3", None),
        (["1", "2", "3"], "1", 0),
        (["1", "2", "3"], "0", None),
        (["1", "2", "3"], "3", 2),
        (["-1", "1"], "1", 1),
        (["-1", "1"], "0", None),
        (["1", "0"], "1", 0),
        (["1", "0"], "1.0", 0),
        (["1", "2", "3"], "1.0", 0),
        (["1.0", "2.0"], "2", 1),
        (["1", "1.0"], "1.00", None),
        (["false", "true"], "True", 1),
        (["false", "true"], "1", 1),
        (["true", "false"], "1.0", 0),
        (["true", "false"], "0", 1),
        (["0", "1"], "true", 1),
        (["0", "1"], "False", 0),
        (["true", "maybe"], "1", None),
        (["no", "yes"], "1", 1),
        (["2", "other"], "2", 0),
        (["2", "other"], "1", None),
        (["a", "nan"], "nan", 1),
    ],
)
def test_class_names_and_class_numbers_are_told_apart(make_task, labels, text, expected):
    task = make_task(labels=labels)
    if expected is None:
        with pytest.raises(ValueError, match="expected one of"):
            parse_label(task, text)
    else:
        assert parse_label(task, text) == expected


def test_numbers_are_offered_only_where_they_are_taken(make_task):
    with pytest.raises(ValueError, match=r"'x', expected one of 1, 2, 3$"):
        parse_label(make_task(labels=["1", "2", "3"]), "x")
    with pytest.raises(ValueError, match=r"'x', expected one of a, b or a number from 0 to 1$"):
        parse_label(make_task(labels=["a", "b"]), "x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2.5", 2.5), ("0", 0.0), ("5", 5.0), ("5e-1", 0.5), (".25", 0.25), ("+1", 1.0)]
    + [
        (bad, None)
        for bad in ("5.01", "-0.1", "nan", "inf", "good", "1,5", "", "1_0", "0x1", "2.5.")
    ],
)
def test_a_regression_label_is_a_number_within_the_range(make_task, text, expected):
    task = make_task(kind="regression", range=[0, 10] if text == "1_0" else [0, 5])
    if expected is None:
        with pytest.raises(ValueError, match="expected a number from 0 to"):
            parse_label(task, text)
    else:
        assert parse_label(task, text) == expected


def test_a_regression_without_range_takes_any_number_of_float32(make_task):
    task = make_task(kind="regression")
    assert parse_label(task, "-3e38") == -3e38
    with pytest.raises(ValueError, match="expected a number"):
        parse_label(task, "-1e39")


pieces = st.sampled_from(
    ['"', ",", "\t", "\n", "\r", "\r\n", "{", "}", '{"a":', "0", "\0", "\xff", "é"]
)
rubbish = st.one_of(
    st.binary(max_size=60),
    st.lists(pieces | st.text(max_size=3), max_size=20).map(
        lambda parts: "".join(parts).encode("latin-1", "ignore")
    ),
)


@given(tail=rubbish, head=st.sampled_from([b"", b"id,sentence,label\n", b"id\tsentence\tlabel\n"]))
def test_rubbish_raises_nothing_but_a_user_error(make_task, tail, head):
    for name in ("rows.csv", "rows.jsonl"):
        for labelled in (True, False):
            try:
                table = read_table(io.BytesIO(head + tail), name)
                results = list(parse_rows(table, make_task(), labelled=labelled))
            except UserError as error:
                assert name in str(error)
            else:
                assert all(r.line > 0 if isinstance(r, Example) else name in r for r in results)


TOPICS = {"kind": "multilabel_classification", "labels": ["a", "b", "c"]}
FLAGS = {"kind": "multilabel_classification", "columns": {"labels": ["a", "b"]}}


def test_a_cell_may_hold_several_labels(problems_of):
    cells = ["a;c", "\"['a', 'b']\"", "b|c", '"[""c""]"', "[]", "2", "", '"a, b"']
    content = "sentence,label\n" + "".join(f"text {i},{c}\n" for i, c in enumerate(cells))
    problems, examples = problems_of(content, **TOPICS)
    assert problems == []
    assert [e.label for e in examples] == [
        (1, 0, 1), (1, 1, 0), (0, 1, 1), (0, 0, 1), (0, 0, 0), (0, 0, 1), (0, 0, 0), (1, 1, 0),
    ]  # fmt: skip


def test_json_lists_of_labels(problems_of):
    rows = [["a", "c"], [], [0, 2], None, "b", ["d"], [["a"]], {"a": 1}]
    lines = "".join(json.dumps({"sentence": "x", "label": row}) + "\n" for row in rows)
    problems, examples = problems_of(lines, "rows.jsonl", **TOPICS)
    assert [e.label for e in examples] == [(1, 0, 1), (0, 0, 0), (1, 0, 1), (0, 0, 0), (0, 1, 0)]
    assert problems == [
        "rows.jsonl:6: column 'label': label 'd', expected some of a, b, c",
        'rows.jsonl:7: column \'label\': labels \'[["a"]]\', expected a list such as ["a", "b"]',
        "rows.jsonl:8: 'label' is an object with 'label.a'; `columns` may name such a key",
    ]


def test_a_list_is_no_text_and_no_label_of_other_tasks(problems_of):
    row = {"sentence": ["x"], "label": ["bad"]}
    good = json.dumps({"sentence": "x", "label": "bad"})
    lines = f"{json.dumps(row)}\n{json.dumps(row | {'sentence': 'x'})}\n{good}\n"
    problems, _ = problems_of(lines, "rows.jsonl")
    assert problems == [
        "rows.jsonl:1: found a list in 'sentence', expected one value",
        "rows.jsonl:2: found a list in 'label', expected one value",
    ]
    problems, _ = problems_of(json.dumps(row) + "\n" + json.dumps(
        {"sentence": "x", "label": "a"}) + "\n", "rows.jsonl", **TOPICS)  # fmt: skip
    assert problems == ["rows.jsonl:1: found a list in 'sentence', expected one value"]


def test_each_label_may_have_a_column_of_its_own(problems_of):
    content = (
        "id,sentence,b,other,a\nx,one,1,9,0\ny,two,No,9,TRUE\nz,three,0.0,9,0\nw,four,-1,9,-1\n"
    )
    problems, examples = problems_of(content, **FLAGS)
    assert [(e.id, e.label) for e in examples] == [("x", (0, 1)), ("y", (1, 0)), ("z", (0, 0))]
    assert problems == [
        "rows.csv:5: column 'a': found '-1', expected 1 or 0, true or false, yes or no"
    ]


def test_a_missing_column_of_a_label_is_named(write, make_task):
    with pytest.raises(UserError, match="no column 'b', found 'sentence', 'a'; map it in"):
        read_examples(write("sentence,a\nx,1\n"), make_task(**FLAGS))


def test_columns_of_labels_are_used(write, make_task):
    found = read_examples(write("sentence,a,b,c\nx,1,0,0\n"), make_task(**FLAGS))
    assert found.left_out.unused_columns == ("c",)


def test_a_blank_list_is_an_empty_one_but_in_a_file_of_several_tasks_it_is_unlabelled(
    write, make_task
):
    path = write("sentence,label\nx,a\ny,\nz,[]\n")
    alone = read_examples(path, make_task(**TOPICS))
    assert [e.label for e in alone.examples] == [(1, 0, 0), (0, 0, 0), (0, 0, 0)]
    shared = read_examples(path, make_task(**TOPICS), blank_is_unlabelled=True)
    assert [e.label for e in shared.examples] == [(1, 0, 0), (0, 0, 0)]
    assert shared.left_out.unlabelled == 1


def test_blank_cells_in_all_columns_of_labels_are_no_answer(problems_of, write, make_task):
    content = "sentence,a,b\nx,1,0\ny,,\nz,1,\n"
    problems, examples = problems_of(content, **FLAGS)
    assert len(examples) == 1
    assert problems == [
        "rows.csv:3: blank label, expected 1 or 0 in each column of a label",
        "rows.csv:4: column 'b': found '', expected 1 or 0, true or false, yes or no",
    ]
    task = make_task(on_bad_rows="skip", **FLAGS)
    shared = read_examples(write(content), task, blank_is_unlabelled=True)
    assert shared.left_out.unlabelled == 1


def test_rows_of_equal_id_are_told_though_their_labels_are_blank(problems_of):
    problems, examples = problems_of("id,sentence,label\nx,one,\nx,two,\n", **TOPICS)
    assert len(examples) == 1
    assert len(problems) == 1
    assert problems[0].startswith("rows.csv:3: id 'x' is also in line 2, expected unique ids")


def test_a_column_called_id_may_name_something_else(problems_of):
    rows = "id,sentence,label\nuser7,one,good\nuser7,two,bad\n"
    (problem,), _ = problems_of(rows)
    assert "set `columns: {id: false}`" in problem
    problems, examples = problems_of(rows, columns={"id": False})
    assert (problems, [e.id for e in examples]) == ([], ["1", "2"])


def test_a_row_without_an_id_beside_ids_does_not_take_the_id_of_another(problems_of):
    rows = [{"id": "2"}, {}, {"id": ""}, {"id": None}]
    lines = "".join(json.dumps({**row, "sentence": "x", "label": 1}) + "\n" for row in rows)
    problems, examples = problems_of(lines, "rows.jsonl")
    assert (problems, [e.id for e in examples]) == ([], ["2", "line 2", "line 3", "line 4"])


def test_keys_of_objects_inside_are_columns(problems_of):
    line = json.dumps({"meta": {"id": 7}, "data": {"text": "x", "label": {"name": "bad"}}})
    columns = {"id": "meta.id", "text": "data.text", "label": "data.label.name"}
    problems, examples = problems_of(line, "rows.jsonl", columns=columns)
    assert (problems, examples) == ([], [Example("7", ("x",), 0, 1)])


def test_a_table_without_a_header_is_told_and_read_by_places(problems_of, make_task, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('"bad","Shares slipped on Monday"\n"good","Talks, late"\n')
    with pytest.raises(UserError, match=r"format: \{header: false\}.*1 to 2"):
        read_examples(path, make_task())
    task = make_task(columns={"text": 2, "label": 1}, format={"header": False})
    found = read_examples(path, task).examples
    assert [(e.texts, e.label, e.line) for e in found] == [
        (("Shares slipped on Monday",), 0, 1), (("Talks, late",), 1, 2)
    ]  # fmt: skip


@given(
    raw=st.lists(
        st.sampled_from([b"a", b'"', b"\t", b",", b"\n", b"\r\n", b"good", b"1,x,bad\n", b"\xff"])
    ).map(b"".join),
    name=st.sampled_from(["rows.csv", "rows.jsonl"]),
    quoting=st.sampled_from([None, "none", "standard"]),
    blank=st.booleans(),
)
def test_every_row_and_every_line_of_a_file_is_accounted_for(raw, name, quoting, blank):
    """Examples, bad rows and rows without a label are the rows; and these cover the lines."""
    content = b"id,sentence,label\n" + raw
    form = FormatSettings(quoting=quoting)
    rows = list(read_table(io.BytesIO(content), name, form).rows)
    task = TaskSettings(
        kind="classification", train=name, labels=("bad", "good"), format=form, on_bad_rows="skip"
    )
    left_out, examples = LeftOut(), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        with contextlib.suppress(UserError):
            for example in iterate_examples(path, task, left_out, blank_is_unlabelled=blank):
                examples.append(example)
    assert len(examples) + len(left_out.problems) + left_out.unlabelled == len(rows)
    if name.endswith(".jsonl"):
        return
    covered = {1}
    for row in rows:
        inside = sum(value.count("\n") for value in row.values.values())
        own = range(row.line, row.line + 1 + inside)
        assert covered.isdisjoint(own)
        covered.update(own)
    for number, line in enumerate(content.split(b"\n"), start=1):
        assert number in covered or not line.replace(b'""', b"").strip(b",\t\r ")


def test_rows_to_predict_need_no_labels(make_task):
    stream = io.BytesIO(b"sentence\nx\n")
    for task in (make_task(**TOPICS), make_task(**FLAGS)):
        stream.seek(0)
        (example,) = parse_rows(read_table(stream, "t.csv"), task, labelled=False)
        assert example.label is None
