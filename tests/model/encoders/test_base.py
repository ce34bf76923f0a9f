import copy
import dataclasses
import importlib
import json
import os

import pytest
import torch
from safetensors.torch import load_file
from support.bert_folders import IDS, edit_weights, hidden, refusal

import mtbert
from mtbert.errors import UserError
from mtbert.model.attention import Layout
from mtbert.model.encoders.base import Encoder, load_encoder
from mtbert.model.encoders.bert import BertEncoder
from mtbert.model.encoders.table import FAMILIES


def test_transformers_loads_what_we_save_without_a_missing_weight(tiny_encoder, tmp_path):
    from transformers import AutoModel

    tiny_encoder.save_pretrained(tmp_path)
    model, report = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values()), report
    torch.testing.assert_close(hidden(model.eval()), hidden(tiny_encoder), rtol=1e-5, atol=1e-5)


def test_what_transformers_saved_goes_through_us_unchanged(make_bert, tmp_path):
    model, folder = make_bert(layer_norm_eps=1e-5, type_vocab_size=3, hidden_act="relu")
    load_encoder(str(folder)).save_pretrained(tmp_path)
    before, after = (load_file(f / "model.safetensors") for f in (folder, tmp_path))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    again = load_encoder(str(tmp_path))
    assert again.config == load_encoder(str(folder)).config
    torch.testing.assert_close(hidden(again), hidden(model), rtol=1e-5, atol=1e-5)


def test_an_encoder_may_be_saved_over_the_folder_it_came_from(bert_folder):
    encoder = Encoder.from_pretrained(str(bert_folder))
    before = hidden(encoder)
    encoder.save_pretrained(str(bert_folder))
    assert torch.equal(before, hidden(encoder))
    assert torch.equal(before, hidden(load_encoder(str(bert_folder))))


def test_a_loaded_encoder_is_in_eval_mode_and_can_learn(bert_folder):
    encoder = load_encoder(str(bert_folder))
    assert not encoder.training
    assert all(p.requires_grad and p.is_leaf for p in encoder.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(bert_folder, dtype):
    before = load_file(bert_folder / "model.safetensors")
    edit_weights(bert_folder, lambda t: {name: x.to(dtype) for name, x in t.items()})
    encoder = load_encoder(str(bert_folder))
    assert all(p.dtype == torch.float32 for p in encoder.parameters())
    expected = before["pooler.dense.weight"].to(dtype).float()
    assert torch.equal(encoder.pooler.weight, expected)


@pytest.mark.parametrize("kept", [0, 7, 8, 100, -1])
def test_a_cut_off_weights_file_is_refused(bert_folder, kept):
    file = bert_folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    assert "not a valid safetensors file" in refusal(bert_folder)


def test_weights_that_are_something_else_are_refused(bert_folder):
    (bert_folder / "model.safetensors").write_bytes(os.urandom(1000))
    assert "not a valid safetensors file" in refusal(bert_folder)


def test_a_folder_without_config_or_weights_is_refused(bert_folder):
    (bert_folder / "model.safetensors").unlink()
    message = refusal(bert_folder)
    assert "no model.safetensors" in message
    assert "mtbert convert" not in message
    (bert_folder / "config.json").unlink()
    assert "config.json: no such file" in refusal(bert_folder)


def test_a_folder_with_only_an_old_pickle_names_the_command_that_converts_it(bert_folder):
    (bert_folder / "model.safetensors").rename(bert_folder / "pytorch_model.bin")
    assert f"mtbert convert {bert_folder / 'pytorch_model.bin'}" in refusal(bert_folder)


@pytest.mark.parametrize("model_type", FAMILIES)
def test_a_family_provides_what_an_encoder_needs_and_overrides_nothing_of_it(model_type):
    module, _, name = FAMILIES[model_type].partition(":")
    family = getattr(importlib.import_module(module), name)
    assert issubclass(family, Encoder)
    assert not family.__abstractmethods__
    concrete = {n for n in vars(Encoder) if not n.startswith("_")} - Encoder.__abstractmethods__
    assert concrete.isdisjoint(vars(family))


def test_the_public_encoder_is_the_base_of_every_family(tiny_encoder, bert_folder):
    assert mtbert.Encoder is Encoder
    assert isinstance(tiny_encoder, mtbert.Encoder)
    assert isinstance(mtbert.Encoder.from_pretrained(str(bert_folder)), mtbert.Encoder)
    with pytest.raises(TypeError, match="abstract"):
        Encoder(tiny_encoder.config)


@pytest.mark.parametrize("first_only", [False, True])
def test_other_layers_may_stand_in_the_place_of_the_encoders_own(tiny_encoder, first_only):
    """As a task's copies of the last layers would."""
    layout = Layout((5, 5), torch.device("cpu"))
    inputs = (IDS.flatten(), torch.zeros(10, dtype=torch.int64), layout)
    own = tiny_encoder.encode(*inputs, first_only=first_only)
    copies = [tiny_encoder.layers[0], copy.deepcopy(tiny_encoder.layers[1])]
    assert torch.equal(tiny_encoder.encode(*inputs, first_only=first_only, layers=copies), own)
    with torch.no_grad():
        copies[1].feed_forward.outer.weight.neg_()
    changed = tiny_encoder.encode(*inputs, first_only=first_only, layers=copies)
    assert not torch.allclose(changed, own)
    assert torch.equal(tiny_encoder.encode(*inputs, first_only=first_only), own)
    once = tiny_encoder.encode(*inputs, first_only=first_only, layers=copies[:1])
    assert once.shape == own.shape
    assert not torch.allclose(once, own)


def test_an_encoder_names_its_family_and_class_in_its_config(tiny_encoder, tmp_path):
    tiny_encoder.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    first = {"architectures": ["BertModel"], "model_type": "bert", "dtype": "float32"}
    assert list(config.items())[:3] == list(first.items())
    assert load_encoder(str(tmp_path)).config == tiny_encoder.config


@pytest.mark.parametrize("count", [1, 2])
def test_the_top_layers_and_the_pooler_begin_afresh_and_all_others_stay(tiny_config, count):
    """As the authors draw them: normal matrices, zero biases, unit norms."""
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3}
    encoder = BertEncoder(dataclasses.replace(tiny_config, **sizes))
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(1))
    before = {name: p.detach().clone() for name, p in encoder.named_parameters()}
    encoder.reinitialise(count, torch.Generator().manual_seed(2))
    fresh = [f"layers.{number}." for number in range(3 - count, 3)] + ["pooler."]
    for name, parameter in encoder.named_parameters():
        if not name.startswith(tuple(fresh)):
            assert torch.equal(parameter, before[name])
        elif "norm" in name:
            assert torch.equal(parameter, torch.full_like(parameter, float("weight" in name)))
        elif name.endswith("bias"):
            assert not parameter.any()
        else:
            assert parameter.std().item() == pytest.approx(tiny_config.initializer_range, rel=0.05)
    again = copy.deepcopy(encoder)
    again.reinitialise(count, torch.Generator().manual_seed(2))
    for ours, theirs in zip(encoder.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_more_fresh_layers_than_there_are_is_refused(tiny_encoder):
    with pytest.raises(UserError, match=r"reinitialise: found 3, but the encoder has 2 layers"):
        tiny_encoder.reinitialise(3, torch.Generator())
