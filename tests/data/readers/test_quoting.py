"""Which rows quotes are text in, on tables of the kinds that research files and programs write."""

import csv
import io

import pytest

from mtbert.data.readers.quoting import quotes_are_text, records

FILES = {  # GLUE's kind: no quoting at all
    "opens": '"fine and dandy\t1\nbad film\t0\nthe critics shouted : "\t0\nok\t0\n',
    "opens, and words between quotes": '"fine and dandy\t1\nbad\t0\na so called "comedy"\t0\n',
    "a quotation as a whole": '"good"\t1\n" so , " he said\t0\nok\t1\nbad\t0\n',
}


def lines(text):
    return io.StringIO(text, newline="")


def written(rows, separator, quoting=csv.QUOTE_MINIMAL):
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=separator, quoting=quoting, lineterminator="\n").writerows(rows)
    return stream.getvalue()


@pytest.mark.parametrize("name", FILES)
def test_quotes_of_research_files_are_text(name):
    assert quotes_are_text(lines(FILES[name]), "\t", 2)


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_quotes_that_a_program_wrote_are_quoting(separator, quoting):
    rows = [["a", 1], ['he said "no"', 0], [f"x{separator}y", 1], ["two\nlines", 0], ["", 1]]
    assert not quotes_are_text(lines(written(rows, separator, quoting)), separator, 2)


@pytest.mark.parametrize("separator", [",", "\t"])
def test_one_broken_row_does_not_turn_the_quotes_of_all_others_into_text(separator):
    good = written([[f"text {i}", i] for i in range(5)], separator, csv.QUOTE_NONNUMERIC)
    broken = f'"a "bad" row"{separator}1\n'
    assert not quotes_are_text(lines(good + broken + good), separator, 2)


def test_records_tell_how_many_lines_they_took_and_how_many_are_rows_themselves():
    text = '"a\t1\nb\t2\nc"\t3\n\nx\t"y"z\nd\t"""e"""\n'
    found = list(records(lines(text), "\t", 2, 2))
    assert [(r.line, r.lines, r.whole, r.cells) for r in found] == [
        (2, 3, 3, ["a\t1\nb\t2\nc", "3"]),
        (6, 1, 1, None),
        (7, 1, 1, ["d", '"e"']),
    ]
    assert [(r.wraps, r.doubles) for r in found] == [(False, False), (False, False), (True, True)]
    assert [r.joins_rows("\t") for r in found] == [True, False, False]
    assert not found[0].joins_rows(",")
