"""The tokenizer files of a finished run's model, from which AutoTokenizer gives the same token ids.

tokenizer.json is the whole tokenizer. BERT's class in transformers reads only its vocabulary and
takes the rest from tokenizer_config.json, so the rest is written there; a tokenizer that this class
cannot express is written as one of PreTrainedTokenizerFast, which takes tokenizer.json as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mtbert.data.tokenizer import Tokenizer

__all__ = ["tokenizer_files"]

_OF_BERT = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


def tokenizer_files(tokenizer: Tokenizer, max_length: int) -> dict[str, str]:
    """The texts of the files by their names.

    Args:
        tokenizer: of the encoder.
        max_length: tokens of a sequence, special tokens included.
    """
    stored = json.loads(tokenizer.to_json())
    added = {token["content"] for token in stored["added_tokens"]}
    # One that is no added token yet would become one, and then be found within texts.
    named = {role: token for role, token in tokenizer.roles.items() if token in added}
    config: dict[str, Any] = {
        "model_max_length": max_length,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
    }
    if _is_berts(stored, tokenizer.roles, named):
        normalizer = stored["normalizer"]
        config |= {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": normalizer["lowercase"],
            "strip_accents": normalizer["strip_accents"],
            "tokenize_chinese_chars": normalizer["handle_chinese_chars"],
        }
        config |= dict.fromkeys(_OF_BERT)
    else:
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    if tokenizer.splits_special:
        config["split_special_tokens"] = True
    return {
        "tokenizer.json": tokenizer.to_json(),
        "tokenizer_config.json": _text(config | named),
        "special_tokens_map.json": _text(named),
    }


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _is_berts(
    stored: Mapping[str, Any], roles: Mapping[str, str], named: Mapping[str, str]
) -> bool:
    """Whether BertTokenizer makes the same from the vocabulary and its settings."""
    normalizer, model = stored["normalizer"] or {}, stored["model"]
    return (
        normalizer.get("type") == "BertNormalizer"
        and normalizer["clean_text"] is True
        and (stored["pre_tokenizer"] or {}).get("type") == "BertPreTokenizer"
        and model["continuing_subword_prefix"] == "##"
        and model["max_input_chars_per_word"] == 100
        and roles["unk_token"] == model["unk_token"]
        and all(role in named for role in roles)
    )
