import json
import re

import pytest
import torch
from torch import Generator

from mtbert.batch import TokenBatch
from mtbert.config.tasks import TaskSettings
from mtbert.errors import UserError
from mtbert.model.network import MultitaskNetwork
from mtbert.model.saved import load_network, save_network

TASKS = {
    "sst": TaskSettings(
        kind="classification", labels=("bad", "so", "good"), train="/home/me/s.csv"
    ),
    "para": TaskSettings(kind="pair_classification", train="p.csv", head="pooled"),
    "sts": TaskSettings(
        kind="pair_regression",
        train="C:\\Users\\me\\t.csv",
        dev={"dev": "/home/me/dev.csv"},
        test="/home/me/test.csv",
        range=(0, 5),
        pair_encoding="separately",
        features="uv_absdiff_product",
        head="mean",
    ),
    "sick": TaskSettings(
        kind="pair_regression", uses="sts", dev="d.csv", pair_encoding="separately", range=(1, 5)
    ),
}
LENGTHS = (5, 3, 7, 2, 4, 6)


@pytest.fixture
def network(tiny_encoder):
    network = MultitaskNetwork(tiny_encoder, TASKS)
    for head in network.heads.values():
        head.initialise(Generator().manual_seed(1), std=0.5)
    return network.eval()


@pytest.fixture
def saved(network, tmp_path):
    save_network(network, 64, tmp_path)
    return tmp_path


def batch(lengths=LENGTHS):
    generator = Generator().manual_seed(0)
    ids = torch.randint(1, 50, (sum(lengths),), generator=generator)
    return TokenBatch(ids, torch.zeros_like(ids), lengths)


def test_a_saved_network_gives_the_same_outputs_and_settings(network, saved):
    again, max_length = load_network(saved)
    assert max_length == 64
    assert not again.training
    assert list(again.tasks) == ["sst", "para", "sts"]
    for name in again.tasks:
        assert torch.equal(again(name, batch()), network(name, batch()))
        for field in ("kind", "labels", "range", "head", "features", "pair_encoding", "dropout"):
            assert getattr(again.tasks[name], field) == getattr(TASKS[name], field)


def test_a_saved_network_names_no_folder_of_this_machine(saved):
    text = (saved / "mtbert.json").read_text()
    assert "/home" not in text
    assert "Users" not in text
    assert "s.csv" in text


def test_the_encoder_of_a_saved_network_loads_in_transformers(network, saved):
    from transformers import AutoModel

    model, report = AutoModel.from_pretrained(saved, output_loading_info=True)
    assert not any(report.values()), report
    ids = batch((5,)).token_ids.unsqueeze(0)
    torch.testing.assert_close(
        model.eval()(ids).last_hidden_state,
        network.encoder(ids).last_hidden_state,
        rtol=1e-5,
        atol=1e-5,
    )


def refusal(folder):
    with pytest.raises(UserError) as caught:
        load_network(folder)
    return str(caught.value)


def test_a_missing_description_is_refused(saved):
    (saved / "mtbert.json").unlink()
    assert "no mtbert.json" in refusal(saved)


@pytest.mark.parametrize("name", ["heads.safetensors", "model.safetensors", "config.json"])
def test_a_missing_file_is_refused_by_name(saved, name):
    (saved / name).unlink()
    assert name in refusal(saved)


def test_a_newer_format_is_refused(saved):
    meta = json.loads((saved / "mtbert.json").read_text())
    (saved / "mtbert.json").write_text(json.dumps(meta | {"format": 4}))
    assert re.search(r"format 4, this mtbert reads 1 and 2 and 3", refusal(saved))


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}", b'{"format": 1}', b"[" * 100_000],
)
def test_a_damaged_description_is_refused(saved, damage):
    (saved / "mtbert.json").write_bytes(damage)
    assert "mtbert.json" in refusal(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"tasks": []},
        {"tasks": {"sst": {"kind": "nothing"}}},
        {"tasks": {"sst": {"kind": "regression", "train": "a", "unknown": 1}}},
        {"tasks": {"s.t": {"kind": "regression", "train": "a"}}},
        {"tasks": {"sst": {"kind": "regression", "uses": "none", "dev": "d"}}},
        {"max_length": None},
        {"max_length": "long"},
    ],
)
def test_a_description_with_wrong_values_is_refused(saved, changes):
    meta = json.loads((saved / "mtbert.json").read_text())
    (saved / "mtbert.json").write_text(json.dumps(meta | changes))
    assert str(saved) in refusal(saved)


def test_heads_that_do_not_fit_are_refused_by_name(saved):
    meta = json.loads((saved / "mtbert.json").read_text())
    meta["tasks"]["sst"]["labels"] = ["bad", "good"]
    meta["tasks"]["new"] = meta["tasks"].pop("para")
    (saved / "mtbert.json").write_text(json.dumps(meta))
    message = refusal(saved)
    assert "sst.linear.weight: shape [3, 16], expected [2, 16]" in message
    assert "new.linear.weight: missing" in message
    assert "para.linear.weight: unexpected" in message


def test_cut_off_heads_are_refused(saved):
    file = saved / "heads.safetensors"
    file.write_bytes(file.read_bytes()[:-3])
    assert "heads.safetensors: not a valid safetensors file" in refusal(saved)
