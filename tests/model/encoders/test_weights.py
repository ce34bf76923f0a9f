import logging

import pytest
import torch
from support.bert_folders import edit_config, edit_weights, hidden, refusal

from mtbert.model.encoders.base import load_encoder


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


HEADS = [
    "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering",
    "ForMultipleChoice", "ForNextSentencePrediction", "ForPreTraining", "ForMaskedLM",
    "LMHeadModel",
]  # fmt: skip


@pytest.mark.parametrize("kind", HEADS)
def test_encoders_with_any_head_of_transformers_are_read_and_the_head_is_said(
    make_bert, tmp_path, caplog, kind
):
    import transformers

    model, _ = make_bert()
    whole = getattr(transformers, f"Bert{kind}")(model.config).eval()
    whole.save_pretrained(tmp_path)
    head = {name.split(".")[0] for name in whole.state_dict()} - {"bert"}
    with caplog.at_level(logging.INFO, "mtbert"):
        ours = load_encoder(str(tmp_path))
    torch.testing.assert_close(hidden(ours), hidden(whole.bert), rtol=1e-5, atol=1e-5)
    assert all(f"{name}." in caplog.text for name in head)


PREFIXES = [
    "module.", "model.", "_orig_mod.", "module.bert.", "model.bert.", "_orig_mod.bert.",
    "bert.bert.", "0.auto_model.", "module.0.auto_model.", "encoder.", "bert_model.",
]  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES)
def test_whatever_stands_before_every_name_is_found(bert_folder, caplog, prefix):
    expected = hidden(load_encoder(str(bert_folder)))
    beside = {"sentiment.weight": torch.ones(2, 16), f"{prefix}cls.predictions.bias": torch.ones(3)}
    edit_weights(bert_folder, lambda t: {f"{prefix}{n}": x for n, x in t.items()} | beside)
    with caplog.at_level(logging.INFO, "mtbert"):
        assert torch.equal(hidden(load_encoder(str(bert_folder))), expected)
    assert "sentiment.weight" in caplog.text


def test_two_encoders_in_one_file_are_refused(bert_folder):
    edit_weights(
        bert_folder,
        lambda t: {f"{p}.{n}": x.clone() for p in ("question", "passage") for n, x in t.items()},
    )
    assert "2 encoders (passage., question.), expected one" in refusal(bert_folder)


def test_tensors_of_another_family_with_the_same_names_are_refused(bert_folder):
    edit_weights(bert_folder, lambda t: {f"roberta.{n}": x for n, x in t.items()})
    assert "tensors of roberta, which computes otherwise" in refusal(bert_folder)


def test_names_that_are_none_of_berts_are_told(bert_folder):
    edit_weights(bert_folder, lambda t: {f"x{i}": x for i, x in enumerate(t.values())})
    assert "none of the expected names; found 39 such as x0, x1, x10" in refusal(bert_folder)


def test_word_vectors_that_are_stored_as_the_tied_output_layer_alone_are_found(bert_folder):
    expected = hidden(load_encoder(str(bert_folder)))
    words = "embeddings.word_embeddings.weight"
    edit_weights(bert_folder, lambda t: t | {"cls.predictions.decoder.weight": t.pop(words)})
    assert torch.equal(hidden(load_encoder(str(bert_folder))), expected)


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
        lambda t: t | {"pooler.extra": torch.zeros(2), "encoder.extra": torch.zeros(1)},
    )
    message = refusal(bert_folder)
    assert "pooler.extra: unexpected" in message
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
