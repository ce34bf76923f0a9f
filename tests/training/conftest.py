import pytest
from toy import Toy


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """A tiny encoder and data of three tasks; tests leave its files as they are."""
    return Toy(tmp_path_factory.mktemp("toy"))
