import shutil

import pytest

from mtbert.errors import UserError
from mtbert.model import hub as locate_module
from mtbert.model.hub import locate


def test_a_run_model_folder_is_found_from_the_run_folder(bert_folder, tmp_path):
    shutil.copytree(bert_folder, tmp_path / "run" / "model")
    assert locate(str(tmp_path / "run")) == tmp_path / "run" / "model"


@pytest.mark.parametrize("source", ["no/such/folder", "./nothing", "a b", "nobody/no-model"])
def test_a_source_that_is_nowhere_is_refused_without_network(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"encoder\.path"):
        locate(source)


def test_altered_packaged_weights_are_refused(monkeypatch):
    monkeypatch.setattr(locate_module, "PACKAGED_SHA256", "0" * 64)
    with pytest.raises(UserError, match="is not the known one"):
        locate("packaged")
