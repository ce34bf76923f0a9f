import pytest
from toy import Toy


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """A tiny encoder and data of three tasks; tests leave its files as they are."""
    return Toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="session")
def finished(toy, tmp_path_factory):
    """The folder of a finished run on all three tasks."""
    output = tmp_path_factory.mktemp("runs") / "finished"
    toy.train(output)
    return output
