"""Types of arguments, and JSON that every reader takes."""

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from mtbert.commands.base import existing_or_new, file_to_write, json_text, positive


def test_a_path_may_be_there_or_not(tmp_path):
    assert existing_or_new(str(tmp_path)) == tmp_path
    assert existing_or_new("nothing/of/this") == Path("nothing/of/this")


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b"])
def test_a_path_that_cannot_be_looked_up_is_refused(name):
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        existing_or_new(name)
    assert len(str(refused.value)) < 200


def test_a_loop_of_links_is_refused(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(argparse.ArgumentTypeError, match="symbolic links"):
        existing_or_new(str(tmp_path / "loop"))


def test_a_file_to_write_is_no_folder(tmp_path):
    assert file_to_write(str(tmp_path / "new")) == tmp_path / "new"
    with pytest.raises(argparse.ArgumentTypeError, match="is a folder, expected a file"):
        file_to_write(str(tmp_path))


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "one", "²"])
def test_what_is_no_positive_number_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number from 1"):
        positive(text)


def test_a_positive_number_is_one():
    assert positive("12") == 12


def test_undefined_numbers_are_null():
    text = json_text({"a": math.nan, "b": [1.5, math.inf], "c": {"d": None}})
    assert json.loads(text) == {"a": None, "b": [1.5, None], "c": {"d": None}}
    assert "NaN" not in text


def test_importing_every_command_imports_nothing_that_takes_time():
    code = (
        "import sys, mtbert.commands.table\n"
        "print(sorted({'torch', 'numpy', 'pydantic', 'ruamel', 'tokenizers', 'scipy', 'sklearn', "
        "'tqdm', 'tabulate', 'json', 'tempfile'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
