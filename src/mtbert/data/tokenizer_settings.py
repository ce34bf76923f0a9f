"""What the files of an encoder say about its tokenizer: class, letter case, special tokens.

Read are tokenizer_config.json, special_tokens_map.json and added_tokens.json, the `tokenizer_class`
and `vocab_size` of config.json, and `do_lower_case` of sentence_bert_config.json, which
sentence-transformers writes. Each means what it means to transformers' AutoTokenizer (5.24,
tokenization_utils_base.py, `_from_pretrained`), and each may be absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from mtbert.errors import UserError, shown
from mtbert.io.bounded import is_file, read_json

__all__ = ["ROLES", "TokenizerSettings", "read_tokenizer_settings"]

ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
"""The named special tokens, in the order in which transformers adds missing ones."""

_REBUILT = {
    "BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast",
    "ElectraTokenizer", "ElectraTokenizerFast", "LayoutLMTokenizer", "LayoutLMTokenizerFast",
    "LxmertTokenizer", "LxmertTokenizerFast", "MobileBertTokenizer", "MobileBertTokenizerFast",
    "SqueezeBertTokenizer", "SqueezeBertTokenizerFast", "DPRContextEncoderTokenizer",
    "DPRQuestionEncoderTokenizer", "DPRReaderTokenizer",
}  # fmt: skip
"""Classes that take only the vocabulary from a tokenizer.json, the rest from their settings."""

_AS_STORED = {
    "PreTrainedTokenizerFast", "PreTrainedTokenizer", "TokenizersBackend", "ConvBertTokenizer",
    "ConvBertTokenizerFast", "DPRContextEncoderTokenizerFast", "DPRQuestionEncoderTokenizerFast",
    "DPRReaderTokenizerFast",
}  # fmt: skip
"""Classes that take a tokenizer.json as it is."""

_WHY_NOT = {
    "BertJapaneseTokenizer": "it splits Japanese into words by MeCab, Sudachi or Juman++ before "
    "WordPiece; take a BERT whose tokenizer is WordPiece alone, such as a multilingual one",
}
_ADDED_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerSettings:
    """What is said of a tokenizer, with the defaults of BERT's for what is not.

    Attributes:
        as_stored: tokenizer.json is taken as it is; else its vocabulary alone, and what follows.
        lower_case: texts are lower-cased.
        lower_case_said: whether a file says so; else it is the default.
        strip_accents: accents are removed; None: where texts are lower-cased.
        chinese: Chinese characters are words of their own.
        lower_case_first: lower-cased, accents kept, before all else, as sentence-transformers may.
        split_special: special tokens in a text are split like other words.
        named: the special tokens by role, as far as they are named.
        added: tokens beside the vocabulary, in the order of their ids.
        extra: further special tokens.
        rows: tokens that the encoder has vectors for; 0 where config.json does not say.
        ignored: settings of Python tokenizers that those of the tokenizers library do not have.
    """

    as_stored: bool = False
    lower_case: bool = True
    lower_case_said: bool = False
    strip_accents: bool | None = None
    chinese: bool = True
    lower_case_first: bool = False
    split_special: bool = False
    named: Mapping[str, AddedToken] = field(default_factory=dict)
    added: tuple[AddedToken, ...] = ()
    extra: tuple[AddedToken, ...] = ()
    rows: int = 0
    ignored: tuple[str, ...] = ()


def read_tokenizer_settings(folder: Path, stored_tokens: list[Any]) -> TokenizerSettings:
    """The settings of the tokenizer in a folder.

    Args:
        folder: of an encoder, or of a finished run's model, whose tokenizer.json says all.
        stored_tokens: `added_tokens` of its tokenizer.json; empty where there is none.

    Raises:
        UserError: a file cannot be read, a value is of the wrong type, or the tokenizer is of a
            class that is not BERT's.
    """
    said = _read(folder / "tokenizer_config.json")
    config = _read(folder / "config.json")
    try:
        named, added, extra = _tokens(folder, said, stored_tokens)
        lower_case = _flag(said, "do_lower_case", True)
        return TokenizerSettings(
            as_stored=_as_stored(
                folder, said.get("tokenizer_class") or config.get("tokenizer_class")
            ),
            lower_case=bool(lower_case),
            lower_case_said=said.get("do_lower_case") is not None,
            strip_accents=_flag(said, "strip_accents", None),
            chinese=bool(_flag(said, "tokenize_chinese_chars", True)),
            lower_case_first=_read(folder / "sentence_bert_config.json").get("do_lower_case")
            is True,
            split_special=bool(_flag(said, "split_special_tokens", False)),
            named=named,
            added=added,
            extra=extra,
            rows=rows if type(rows := config.get("vocab_size")) is int else 0,
            ignored=_ignored(said),
        )
    except ValueError as error:
        raise UserError(f"{folder / 'tokenizer_config.json'}: {error}") from None


def _read(file: Path) -> dict[str, Any]:
    return read_json(file) if is_file(file) else {}


def _as_stored(folder: Path, name: object) -> bool:
    """Whether the class takes tokenizer.json as it is.

    Raises:
        UserError: it is none of those that read BERT's WordPiece.
    """
    stored = is_file(folder / "tokenizer.json")
    if is_file(folder / "mtbert.json") and stored:
        return True  # a finished run's, also of the time when tokenizer_config.json said too little
    if name is None or name in _REBUILT:
        return False
    if name in _AS_STORED:
        return stored
    family = str(name).removesuffix("Fast")
    why = _WHY_NOT.get(family, "take a BERT whose tokenizer is WordPiece")
    if family not in _WHY_NOT and stored:
        why += (
            ", or, if the tokenizer.json beside it is the whole tokenizer, write "
            "PreTrainedTokenizerFast in its place"
        )
    raise UserError(
        f"{folder}: tokenizer_class {shown(name)} is not BERT's (expected BertTokenizer, "
        f"DistilBertTokenizer, PreTrainedTokenizerFast or the like): {why}"
    )


def _tokens(
    folder: Path, said: Mapping[str, Any], stored_tokens: list[Any]
) -> tuple[dict[str, AddedToken], tuple[AddedToken, ...], tuple[AddedToken, ...]]:
    """Named special tokens, added tokens in the order of their ids, and further special tokens."""
    values = dict(said)
    by_id: dict[int, AddedToken] = {}
    decoder = said.get("added_tokens_decoder")
    if decoder is None:
        values |= _read(folder / "special_tokens_map.json")
        specials = {_content(values.get(role)) for role in ROLES}
        specials |= {_content(token) for token in _further(values)}
        for content, number in _read(folder / "added_tokens.json").items():
            special = content in specials
            by_id[_number(number)] = AddedToken(content, normalized=not special, special=special)
        for token in stored_tokens:
            by_id[_number(token["id"])] = _token("added_tokens", token)
    else:
        if not isinstance(decoder, dict):
            raise ValueError(f"added_tokens_decoder {shown(decoder)}, expected tokens by their ids")
        for number, token in decoder.items():
            by_id[_number(number)] = _token(f"added_tokens_decoder.{number}", token)
    known = {token.content: token for token in by_id.values()}
    named = {
        key: known.get(_content(value) or "") or _token(key, value)
        for key, value in _in_order(values).items()
    }
    further = _further(values)
    if isinstance(further, dict):
        named |= {key: _token(key, value) for key, value in further.items()}
        further = []
    extra = tuple(_token("extra_special_tokens", value) for value in further)
    return named, tuple(by_id[number] for number in sorted(by_id)), extra


def _further(values: Mapping[str, Any]) -> list[Any] | dict[str, Any]:
    """Special tokens without a role, or with one of the model's own."""
    found = values.get("extra_special_tokens") or values.get("additional_special_tokens") or []
    if not isinstance(found, list | dict):
        raise ValueError(f"extra_special_tokens {shown(found)}, expected a list of tokens")
    return found


def _in_order(values: Mapping[str, Any]) -> dict[str, Any]:
    """The named tokens that are there: the known roles first, then others called `…_token`."""
    others = [
        key
        for key, value in values.items()
        if key.endswith("_token") and key not in ROLES and isinstance(value, str | dict)
    ]
    return {key: values[key] for key in (*ROLES, *others) if values.get(key) is not None}


def _content(value: object) -> str | None:
    content = value.get("content") if isinstance(value, dict) else value
    return content if isinstance(content, str) else None


def _token(key: str, value: object) -> AddedToken:
    """A token from its name, or from a mapping with its `content` and flags."""
    content = _content(value)
    if not content:
        raise ValueError(f"{key}: {shown(value)} is not a token")
    if not isinstance(value, dict):
        return AddedToken(content, special=True)
    flags = {flag: value[flag] for flag in _ADDED_FLAGS if value.get(flag) is not None}
    if not all(isinstance(flag, bool) for flag in flags.values()):
        raise ValueError(f"{key}: {shown(value)} is not a token")
    if "special" not in flags and not key.startswith("added_tokens"):
        flags["special"] = True
    return AddedToken(content, **flags)


def _number(value: object) -> int:
    text = str(value)
    if isinstance(value, bool) or not text.isdecimal() or len(text) > 8:
        raise ValueError(f"{shown(value)} is not a token's id")
    return int(text)


def _flag(said: Mapping[str, Any], key: str, default: bool | None) -> bool | None:
    value = said.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise ValueError(f"{key} {shown(value)}, expected true or false")
    return value


def _ignored(said: Mapping[str, Any]) -> tuple[str, ...]:
    found = [f"never_split {shown(said['never_split'])}"] if said.get("never_split") else []
    if said.get("do_basic_tokenize") is False:
        found.append("do_basic_tokenize false")
    return tuple(found)
