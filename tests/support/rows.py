"""Reading rows from bytes, as the tests of the formats want them."""

import io

from hypothesis import strategies as st

from mtbert.data.readers.table import SEEN, read_table


def read(content, name="rows.csv", form=SEEN):
    """(line, values or problem) of every row."""
    raw = content if isinstance(content, bytes) else content.encode()
    table = read_table(io.BytesIO(raw), name, form)
    return [(row.line, row.problem or row.values) for row in table.rows]


def columns(content, name="rows.csv", form=SEEN):
    raw = content if isinstance(content, bytes) else content.encode()
    return read_table(io.BytesIO(raw), name, form).columns


A_B = [(2, {"a": "1", "b": "x y"}), (3, {"a": "2", "b": "z"})]

cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.text(
    '\n\r",\t a', max_size=6
)
