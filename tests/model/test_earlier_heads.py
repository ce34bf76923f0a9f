import json
import logging

import pytest
import torch
from support.toy import copy_model

from mtbert.config.load import parse_settings
from mtbert.distributed.processes import ALONE
from mtbert.errors import UserError
from mtbert.inference.model import MultitaskModel
from mtbert.training.setup import prepare


def heads(toy, run, *tasks, keep, **changes):
    encoder = {"path": str(run), "heads": "keep" if keep else "new"}
    network = prepare(toy.settings(*tasks, encoder=encoder, **changes), ALONE).network
    return {name: p.detach().clone() for name, p in network.heads.named_parameters()}


def trained(run):
    network = MultitaskModel.from_pretrained(run).network
    return {name: p.detach() for name, p in network.heads.named_parameters()}


def test_that_the_heads_of_a_run_are_not_used_is_said(toy, finished, caplog):
    fresh = heads(toy, toy.encoder, keep=False)
    caplog.clear()
    with caplog.at_level(logging.INFO, "mtbert"):
        found = heads(toy, finished, keep=False)
    assert "its heads (sst, para, sts) are not used, the heads of this run are new" in caplog.text
    assert all(torch.equal(found[name], fresh[name]) for name in fresh)


def test_an_encoder_without_heads_is_nothing_to_speak_of(toy, caplog):
    with caplog.at_level(logging.INFO, "mtbert"):
        heads(toy, toy.encoder, keep=False)
    assert "heads" not in caplog.text


def test_kept_heads_are_those_of_the_run(toy, finished, caplog):
    with caplog.at_level(logging.INFO, "mtbert"):
        found = heads(toy, finished, keep=True)
    expected = trained(finished)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert "starts from its heads of sst, para, sts" in caplog.text


def test_a_task_of_other_labels_has_a_new_head(toy, finished, caplog):
    tree = toy.tree("sst", "sts", encoder={"path": str(finished), "heads": "keep"})
    tree["tasks"]["sts"]["range"] = [0, 6]
    with caplog.at_level(logging.INFO, "mtbert"):
        network = prepare(parse_settings(tree, "toy"), ALONE).network
    expected = trained(finished)
    found = dict(network.heads.named_parameters())
    assert torch.equal(found["sst.linear.weight"], expected["sst.linear.weight"])
    assert not torch.equal(found["sts.linear.weight"], expected["sts.linear.weight"])
    assert "new heads: sts (another range)" in caplog.text


def test_there_must_be_a_head_to_keep(toy, finished, tmp_path):
    with pytest.raises(UserError, match=r"encoder\.heads: found keep, but .* has no heads"):
        heads(toy, toy.encoder, keep=True)
    tree = toy.tree("sst", encoder={"path": str(finished), "heads": "keep"})
    tree["tasks"] = {"other": tree["tasks"]["sst"]}
    with pytest.raises(UserError, match=r"no head of .* fits: other \(no head of that name\)"):
        prepare(parse_settings(tree, "toy"), ALONE)


def test_a_damaged_model_is_refused(toy, finished, tmp_path):
    folder = copy_model(finished, tmp_path / "model")
    meta = json.loads((folder / "mtbert.json").read_text())
    (folder / "mtbert.json").write_text(json.dumps(meta | {"tasks": {"sst": {"kind": "x"}}}))
    with pytest.raises(UserError, match=r"mtbert\.json: damaged"):
        heads(toy, folder, keep=True)


def test_a_kept_head_keeps_the_scale_of_its_target(toy, finished):
    encoder = {"path": str(finished), "heads": "keep"}
    kept = prepare(toy.settings("sts", encoder=encoder), ALONE).network.heads["sts"]
    assert kept.scale == MultitaskModel.from_pretrained(finished).network.heads["sts"].scale
