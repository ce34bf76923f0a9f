import builtins
import datetime
import io
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rows import cells

from mtbert.data.readers import parquet
from mtbert.data.readers.table import read_table
from mtbert.errors import UserError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def written(columns, metadata=None, **options):
    table = pa.table(columns)
    if metadata is not None:
        table = table.replace_schema_metadata({"huggingface": metadata})
    stream = io.BytesIO()
    pq.write_table(table, stream, **options)
    return stream.getvalue()


def table_of(raw, name="rows.parquet"):
    return read_table(io.BytesIO(raw), name)


def test_rows_are_read_whatever_the_name_and_numbered_from_one():
    raw = written({"text": ["é\n", 'a "b"'], "label": [1, 0]})
    for name in ("rows.parquet", "rows.csv", "rows"):
        table = table_of(raw, name)
        assert (table.columns, table.unit) == (("text", "label"), "row")
        assert [(r.line, r.values) for r in table.rows] == [
            (1, {"text": "é\n", "label": "1"}),
            (2, {"text": 'a "b"', "label": "0"}),
        ]


def test_values_of_every_kind_become_text_lists_are_kept_apart_and_structs_unfold():
    raw = written(
        {
            "a": [None, "x"],
            "b": [1.5, float("nan")],
            "c": [True, None],
            "d": [datetime.date(2026, 1, 2)] * 2,
            "e": [b"bytes", "é".encode()],
            "f": [[1, 2], []],
            "g": [{"h": 1, "i": {"j": "k"}}] * 2,
            "l": pa.array(["p", "q"]).dictionary_encode(),
        }
    )
    table = table_of(raw)
    assert table.columns == ("a", "b", "c", "d", "e", "f", "g.h", "g.i.j", "l")
    first, second = table.rows
    shared = {"d": "2026-01-02", "g.h": "1", "g.i.j": "k"}
    assert first.values == {"a": "", "b": "1.5", "c": "true", "e": "bytes", "l": "p", **shared}
    assert second.values == {"a": "x", "b": "", "c": "", "e": "é", "l": "q", **shared}
    assert (first.lists, second.lists) == ({"f": "[1, 2]"}, {"f": "[]"})


def test_the_numbers_of_pandas_rows_are_no_column():
    table = table_of(written({"a": ["x"], "__index_level_0__": [7]}))
    assert table.columns == ("a",)
    assert [row.values for row in table.rows] == [{"a": "x"}]


@pytest.mark.parametrize(
    ("feature", "names"),
    [
        ('{"names": ["neg", "pos"], "_type": "ClassLabel"}', ("neg", "pos")),
        ('{"feature": {"names": ["a"], "_type": "ClassLabel"}, "_type": "Sequence"}', ("a",)),
        ('[{"names": ["a", "b"], "_type": "ClassLabel"}]', ("a", "b")),
        ('{"dtype": "int64", "_type": "Value"}', None),
        ('{"names": 5, "_type": "ClassLabel"}', None),
        ('"x"', None),
    ],
)
def test_names_of_classes_are_those_that_datasets_writes(feature, names):
    raw = written({"label": [1]}, f'{{"info": {{"features": {{"label": {feature}}}}}}}')
    assert table_of(raw).class_names.get("label") == names


@pytest.mark.parametrize("metadata", ["{", "[]", '{"info": null}', "[" * 100_000])
def test_metadata_that_mean_nothing_are_no_names(metadata):
    assert table_of(written({"label": [1]}, metadata)).class_names == {}


def test_bytes_that_are_no_text_and_rows_that_are_too_long_are_told():
    rows = list(table_of(written({"a": [b"\xff", b"x" * (3 << 20), b"y"]})).rows)
    assert "not UTF-8" in rows[0].problem
    assert "a row of more than 2 Mi characters" in rows[1].problem
    assert (rows[2].line, rows[2].values) == (3, {"a": "y"})


def test_damage_is_named():
    raw = written({"a": [f"text {i}" for i in range(5000)]}, compression="snappy")
    with pytest.raises(UserError, match=r"^rows\.parquet: damaged Parquet"):
        table_of(raw[:-100])
    with pytest.raises(UserError, match=r"rows\.parquet: damaged Parquet"):
        table_of(b"PAR1" + b"\0" * 50)
    broken = raw[:200] + bytes(255 - b for b in raw[200:2000]) + raw[2000:]
    with pytest.raises(UserError, match=r"rows\.parquet: row \d+: damaged Parquet"):
        list(table_of(broken).rows)


def test_a_pipe_is_refused_and_what_to_install_is_said(monkeypatch):
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

    raw = written({"a": ["x"]})
    with pytest.raises(UserError, match="cannot be read from a pipe"):
        read_table(Pipe(raw), "standard input")
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"pip install 'mtbert\[parquet\]'"):
        table_of(raw)


def test_a_long_text_that_recurs_is_held_once():
    """A small file may stand for gibibytes: values that are equal are stored once."""
    long = "x" * (1 << 20)
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 4000), pa.array([long]))
    raw = written({"a": column}, store_schema=False)
    assert len(raw) < 1 << 22
    before = pa.total_allocated_bytes()
    rows = table_of(raw).rows
    peak = max(pa.total_allocated_bytes() - before for _ in itertools.islice(rows, 200))
    assert peak < 64 << 20


@settings(max_examples=30)
@given(texts=st.lists(cells, min_size=1, max_size=40), batch=st.integers(1, 7))
def test_what_arrow_writes_is_read_back_equal(texts, batch):
    raw = written({"a": pa.array(texts, pa.string())}, row_group_size=batch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "_BATCH", batch)
        patch.setattr(parquet, "_SLICE", 3)
        rows = list(table_of(raw).rows)
    assert [row.values["a"] for row in rows] == texts
    assert [row.line for row in rows] == list(range(1, len(texts) + 1))
