import json

import pytest
import torch
from support.bert_folders import edit_config, hidden, refusal

from mtbert.model.encoders.base import load_encoder
from mtbert.model.encoders.config import ACTIVATIONS


def drop(folder, *keys):
    file = folder / "config.json"
    config = {k: v for k, v in json.loads(file.read_text()).items() if k not in keys}
    file.write_text(json.dumps(config))


@pytest.mark.parametrize("keys", [("model_type",), ("model_type", "architectures")])
def test_a_config_without_model_type_is_a_berts_if_it_has_its_sizes(bert_folder, keys):
    expected = hidden(load_encoder(str(bert_folder)))
    drop(bert_folder, *keys)
    assert torch.equal(hidden(load_encoder(str(bert_folder))), expected)


def test_a_config_without_model_type_of_something_else_is_refused_with_what_to_add(bert_folder):
    drop(bert_folder, "model_type", "vocab_size")
    assert 'if the model is a BERT, add "model_type": "bert"' in refusal(bert_folder)
    edit_config(bert_folder, vocab_size=50, architectures=["RobertaModel"])
    assert "no model_type and architectures ['RobertaModel']" in refusal(bert_folder)


def test_well_known_architectures_are_refused_with_the_reason(bert_folder):
    for name, why in (("roberta", "positions begin after the padding"), ("albert", "layers share")):
        edit_config(bert_folder, model_type=name)
        assert why in refusal(bert_folder)


def test_sizes_under_the_name_of_berts_authors_are_pointed_out(bert_folder):
    (bert_folder / "config.json").rename(bert_folder / "bert_config.json")
    assert "rename bert_config.json to it" in refusal(bert_folder)


def test_null_where_transformers_takes_the_default_is_the_default(bert_folder):
    edit_config(bert_folder, pad_token_id=None, position_embedding_type=None)
    assert load_encoder(str(bert_folder)).config.pad_token_id == 0


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_equal_those_of_transformers(name):
    from transformers.activations import ACT2FN

    x = torch.linspace(-6, 6, 1001)
    torch.testing.assert_close(ACTIVATIONS[name](x), ACT2FN[name](x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("architecture", ["roberta", "distilbert", "electra", None, 3])
def test_other_architectures_are_refused_by_name(bert_folder, architecture):
    edit_config(bert_folder, model_type=architecture)
    message = refusal(bert_folder)
    assert repr(architecture) in message
    assert "expected 'bert'" in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("position_embedding_type", "relative_key"),
        ("is_decoder", True),
        ("add_cross_attention", True),
        ("hidden_size", "16"),
        ("hidden_size", 0),
        ("hidden_size", 16.0),
        ("vocab_size", True),
        ("num_hidden_layers", -1),
        ("num_attention_heads", 3),
        ("hidden_act", "tanh"),
        ("hidden_dropout_prob", 1.0),
        ("attention_probs_dropout_prob", float("nan")),
        ("layer_norm_eps", float("nan")),
        ("layer_norm_eps", -1.0),
        ("layer_norm_eps", None),
    ],
)
def test_options_that_are_not_berts_are_refused_by_name(bert_folder, key, value):
    edit_config(bert_folder, **{key: value})
    message = refusal(bert_folder)
    assert key in message or "does not divide by 3 heads" in message


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"null", b'"bert"', b"\xff\xfe{}", b"[" * 100_000]
)
def test_a_damaged_config_is_refused(bert_folder, damage):
    (bert_folder / "config.json").write_bytes(damage)
    assert "config.json" in refusal(bert_folder)
