import json
import logging
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from mtbert.errors import UserError
from mtbert.model import hub as locate_module
from mtbert.model.encoders.bert import Encoder
from mtbert.model.encoders.weights import load_encoder
from mtbert.model.hub import locate

IDS = torch.tensor([[2, 9, 4, 31, 3], [2, 7, 7, 49, 3]])


def hidden(model):
    with torch.no_grad():
        return model(IDS).last_hidden_state


def edit_weights(folder, change):
    """Save what `change` makes of the folder's tensors by name."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    save_file(change(tensors) or tensors, file)


def edit_config(folder, **changes):
    file = folder / "config.json"
    config = json.loads(file.read_text()) | changes
    file.write_text(json.dumps(config))


def refusal(folder):
    """The message with which a folder is refused."""
    with pytest.raises(UserError) as caught:
        load_encoder(str(folder))
    return str(caught.value)


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


def old_norms(tensors):
    return {
        n.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): x
        for n, x in tensors.items()
    }


def prefixed(tensors):
    return {f"bert.{n}": x for n, x in tensors.items()}


@pytest.mark.parametrize("change", [old_norms, prefixed, lambda t: prefixed(old_norms(t))])
def test_old_key_names_are_understood(bert_folder, change):
    expected = hidden(load_encoder(str(bert_folder)))
    edit_weights(bert_folder, change)
    assert torch.equal(hidden(load_encoder(str(bert_folder))), expected)


@pytest.mark.parametrize(
    "key",
    [
        "embeddings.position_ids",
        "bert.embeddings.position_ids",
        "cls.predictions.bias",
        "cls.seq_relationship.weight",
        "heads.sst.linear.weight",
    ],
)
def test_known_superfluous_keys_are_dropped_and_said(bert_folder, caplog, key):
    expected = hidden(load_encoder(str(bert_folder)))
    edit_weights(bert_folder, lambda t: t | {key: torch.arange(4)})
    with caplog.at_level(logging.INFO, "mtbert"):
        assert torch.equal(hidden(load_encoder(str(bert_folder))), expected)
    assert [key in record.getMessage() for record in caplog.records] == [True]


def test_an_absent_pooler_is_initialised_with_a_warning_and_a_fixed_seed(bert_folder, caplog):
    edit_weights(bert_folder, lambda t: {n: x for n, x in t.items() if "pooler" not in n})
    first = load_encoder(str(bert_folder)).pooler
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "pooler" in caplog.text
    assert torch.equal(first.weight, load_encoder(str(bert_folder)).pooler.weight)
    assert 0.01 < first.weight.std() < 0.03
    assert not first.bias.any()


def test_a_missing_key_is_refused_by_name(bert_folder):
    key = "encoder.layer.1.attention.self.key.bias"
    edit_weights(bert_folder, lambda t: {n: x for n, x in t.items() if n != key})
    assert f"{key}: missing" in refusal(bert_folder)


def test_half_a_pooler_is_refused(bert_folder):
    edit_weights(bert_folder, lambda t: {n: x for n, x in t.items() if n != "pooler.dense.bias"})
    assert "pooler.dense.bias: missing" in refusal(bert_folder)


def test_all_unexpected_keys_are_refused_by_name(bert_folder):
    edit_weights(
        bert_folder,
        lambda t: t | {"qa_outputs.bias": torch.zeros(2), "encoder.extra": torch.zeros(1)},
    )
    message = refusal(bert_folder)
    assert "qa_outputs.bias: unexpected" in message
    assert "encoder.extra: unexpected" in message


def test_more_layers_than_the_config_says_are_refused(bert_folder):
    edit_config(bert_folder, num_hidden_layers=1)
    assert "encoder.layer.1.attention.self.value.bias: unexpected" in refusal(bert_folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bert.pooler.dense.bias", "pooler.dense.bias"),
        ("embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"),
    ],
)
def test_a_weight_under_an_old_and_a_new_name_is_refused(bert_folder, old, new):
    edit_weights(bert_folder, lambda t: t | {old: t[new].clone()})
    message = refusal(bert_folder)
    assert "twice" in message
    assert new.split(".")[-2] in message


@pytest.mark.parametrize(
    "key",
    [
        "pooler.dense.weight",
        "embeddings.word_embeddings.weight",
        "encoder.layer.0.attention.self.key.weight",
        "encoder.layer.1.output.LayerNorm.bias",
    ],
)
@pytest.mark.parametrize("shape", [(), (5, 3)])
def test_a_wrong_shape_is_refused_by_the_files_key(bert_folder, key, shape):
    edit_weights(bert_folder, lambda t: t | {key: torch.zeros(shape)})
    message = refusal(bert_folder)
    assert key in message
    assert str(list(shape)) in message


def test_wrong_shapes_that_make_up_for_each_other_are_refused(bert_folder):
    query, key = (f"encoder.layer.0.attention.self.{part}.bias" for part in ("query", "key"))
    edit_weights(bert_folder, lambda t: t | {query: torch.zeros(17), key: torch.zeros(15)})
    assert "[17]" in refusal(bert_folder)


def test_integers_are_refused_as_weights(bert_folder):
    edit_weights(bert_folder, lambda t: t | {"pooler.dense.bias": torch.arange(16)})
    assert "expected floating point" in refusal(bert_folder)


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
