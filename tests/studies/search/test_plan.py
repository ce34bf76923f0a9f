"""What a search is, kept in its folder."""

import json
import sys

import pytest
from support.searches import search_of

from mtbert.errors import UserError
from mtbert.studies.fingerprint import Fingerprints
from mtbert.studies.search.plan import (
    is_search,
    keep_search,
    lower_is_better,
    require_optuna,
    searched_score,
)


@pytest.fixture
def search(toy, tmp_path):
    config = toy.config(tmp_path / "base.yaml", "sst", training={"select": "sst.accuracy"})
    return search_of(config, "training.epochs=1,2", "training.warmup=0..0.3", sampler="tpe")


def test_a_search_is_known_again(search, tmp_path):
    assert not is_search(tmp_path)
    keep_search(search, tmp_path, Fingerprints())
    before = (tmp_path / "search.json").read_bytes()
    keep_search(search, tmp_path, Fingerprints())
    assert (tmp_path / "search.json").read_bytes() == before
    assert is_search(tmp_path)
    assert searched_score(tmp_path) == "sst.accuracy"
    kept = json.loads(before)
    assert kept["space"]["training.epochs"] == {"values": ["1", "2"]}
    assert str(tmp_path) not in before.decode()


def test_data_that_changed_are_another_search(search, toy, tmp_path):
    keep_search(search, tmp_path, Fingerprints())
    file = toy.folder / "sst-dev.csv"
    before = file.read_bytes()
    try:
        file.write_bytes(before.replace(b"good", b"fine", 1))
        with pytest.raises(UserError, match="differs in the configuration or its data; go on"):
            keep_search(search, tmp_path, Fingerprints())
    finally:
        file.write_bytes(before)


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"format": 2, "score": "sum"}'])
def test_damage_is_told(search, tmp_path, text):
    (tmp_path / "search.json").write_text(text)
    with pytest.raises(UserError, match=r"search\.json: .*damaged"):
        searched_score(tmp_path)


def test_a_folder_that_is_no_search_is_told(tmp_path):
    with pytest.raises(UserError, match=r"not a search, no search\.json in it"):
        searched_score(tmp_path)


def test_errors_are_better_when_lower():
    assert lower_is_better("sts.rmse")
    assert not any(map(lower_is_better, ("sum", "balanced", "sts.pearson", "sst.f1:good")))


def test_without_the_extra_it_is_told_how_to_get_it(monkeypatch):
    require_optuna()
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install 'mtbert\[tune\]'"):
        require_optuna()
