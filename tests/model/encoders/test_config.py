import pytest
from support.bert_folders import edit_config, refusal


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
