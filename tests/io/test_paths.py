from pathlib import Path

from mtbert.io.paths import expanded, is_file, is_folder, matching


def test_names_that_no_file_can_have_are_none():
    assert [is_file(Path("a\0b")), is_folder(Path("a\0b")), matching(Path("a\0*"))] == [
        False,
        False,
        [],
    ]


def test_the_users_folder_is_read_as_the_shell_reads_it(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert expanded("~/a") == Path("/home/me/a")
    assert expanded("~nobody-of-this-name/a") == Path("~nobody-of-this-name/a")


def test_a_pattern_matches_files_by_name_and_no_folders(tmp_path):
    for name in ("b.csv", "a.csv", "c.txt", "d/e.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "f.csv").mkdir()
    assert matching(tmp_path / "*.csv") == [tmp_path / "a.csv", tmp_path / "b.csv"]
    assert matching(tmp_path / "**" / "*.csv")[-1] == tmp_path / "d" / "e.csv"
    assert matching(tmp_path / "x*") == []
