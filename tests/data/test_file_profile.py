"""A file seen without a task."""

from mtbert.data.file_profile import profile, texts_in_both


def test_columns_of_texts_are_the_long_ones(tmp_path):
    file = tmp_path / "f.tsv"
    file.write_text(
        "id\tfirst\tsecond\tlabel\n"
        "1\tone text of words\tanother text of words\t0\n"
        "2\tone text of words\tanother text of words\t1\n"
        "3\tone text of words\ta third text of words\t1\n"
        "4\tbroken\n"
    )
    found = profile(file)
    assert found.text_columns == ("first", "second")
    assert (found.rows, found.repeats, found.clashes) == (4, 1, {"label": 1})
    assert len(found.problems) == 1
    assert texts_in_both(found, found) == 2
    (tmp_path / "g.tsv").write_text("other\none text of words that is long\n")
    assert texts_in_both(found, profile(tmp_path / "g.tsv")) == 0


def test_a_file_of_short_values_has_no_texts(tmp_path):
    (tmp_path / "f.csv").write_text("a,b\n1,2\n1,3\n")
    found = profile(tmp_path / "f.csv")
    assert (found.text_columns, found.repeats, found.clashes) == ((), 0, {})
