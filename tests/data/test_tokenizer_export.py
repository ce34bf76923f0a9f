import json

import pytest
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import pre_tokenizers
from tokenizers.models import WordPiece

from mtbert.data.tokenizer import Tokenizer
from mtbert.data.tokenizer_export import tokenizer_files


def files(tokenizer):
    return {name: json.loads(text) for name, text in tokenizer_files(tokenizer, 77).items()}


def test_the_packaged_encoders_tokenizer_is_berts_in_lower_case(tokenizer):
    found = files(tokenizer)
    assert found["tokenizer.json"] == json.loads(tokenizer.to_json())
    assert found["tokenizer_config.json"] == {
        "model_max_length": 77,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": True,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }
    assert found["special_tokens_map.json"]["cls_token"] == "[CLS]"


@pytest.mark.parametrize(
    "change",
    [
        lambda fast: setattr(fast, "pre_tokenizer", pre_tokenizers.Whitespace()),
        lambda fast: setattr(fast, "normalizer", None),
        lambda fast: setattr(fast.model, "max_input_chars_per_word", 50),
    ],
)
def test_what_berts_class_cannot_express_is_taken_from_tokenizer_json_as_it_is(tokenizer, change):
    fast = FastTokenizer.from_str(tokenizer.to_json())
    change(fast)
    found = files(Tokenizer(fast, tokenizer.roles))["tokenizer_config.json"]
    assert found["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert "do_lower_case" not in found


def test_a_special_token_that_is_found_in_no_text_is_not_named():
    """Named, it would be found in texts by transformers."""
    ids = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}
    found = files(Tokenizer(FastTokenizer(WordPiece(ids, unk_token="[UNK]"))))
    assert found["special_tokens_map.json"] == {}
    assert found["tokenizer_config.json"]["tokenizer_class"] == "PreTrainedTokenizerFast"
