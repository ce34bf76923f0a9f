from pathlib import Path

import mtbert
from mtbert.config.data import DataSettings


def test_a_relative_name_starts_from_the_folder_and_an_absolute_one_does_not():
    data = DataSettings(dir="/data")
    assert data.locate("a.csv") == Path("/data/a.csv")
    assert data.locate("/b/a.csv") == Path("/b/a.csv")


def test_packaged_is_the_folder_with_the_demo_data():
    data = DataSettings(dir="packaged")
    assert data.folder == Path(mtbert.__file__).parent / "demo_data"
    assert data.locate("sentiment-dev.csv").is_file()


def test_without_a_folder_a_name_stays_what_it_is():
    assert DataSettings().folder is None
    assert DataSettings().locate("a.csv") == Path("a.csv")
