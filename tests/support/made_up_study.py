"""A study of the paper's experiments on a few rows, whose runs are made up."""

import pytest

from mtbert.studies import runner
from mtbert.studies.grid import cells, load_grid
from support.studies import made_up, overrides, write_course


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    return write_course(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="session")
def paper_cells(course):
    """Every place of the paper's four experiments in both forms, two seeds."""
    experiments = load_grid("paper")
    one = cells(experiments, overrides(course, "seed=1"))
    return [*one, *cells(experiments, overrides(course, "seed=2"))]


@pytest.fixture(scope="session")
def study(paper_cells, tmp_path_factory):
    """The finished study; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("studies") / "paper"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "_POLL_SECONDS", 0.001)
        runner.run_cells(paper_cells, folder, workers=8, launch=made_up)
    return folder
