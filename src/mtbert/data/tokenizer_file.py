"""Untrusted `tokenizer.json` files: accepted only if they are BERT's, and bounded.

The format can also hold regular expressions that take exponential time, replacements that double
a text as often as they like, and parts that make the library abort. BERT needs none of these.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtbert.errors import shown
from mtbert.io.bounded import read_bytes, unique_keys

__all__ = ["read_tokenizer_json", "read_vocabulary"]

_LARGEST_FILE = 16 << 20
_LARGEST_ID = 10_000_000
_LONGEST_WORD = 200  # WordPiece takes quadratic time in it; BERT's is 100
_LONGEST_TEMPLATE = 8
_WHITE = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's white space, which is less than that of `str.rstrip`."""
_STEPS = {
    "normalizer": {
        "BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Strip", "StripAccents",
    },
    "pre_tokenizer": {
        "BertPreTokenizer", "Digits", "Punctuation", "Whitespace", "WhitespaceSplit",
    },
    "post_processor": {"BertProcessing", "TemplateProcessing"},
    "decoder": {"WordPiece"},
}  # fmt: skip
_LISTS = {"normalizer": "normalizers", "pre_tokenizer": "pretokenizers"}


def read_tokenizer_json(file: Path) -> str:
    """The content of a `tokenizer.json`, checked.

    Raises:
        ValueError: it is not BERT's, or not a JSON object.
        UserError: it cannot be read, or is too large.
    """
    text = read_bytes(file, _LARGEST_FILE).decode("utf-8")
    try:
        content = json.loads(text, object_pairs_hook=unique_keys)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError(f"expected a JSON object, found {type(content).__name__}")
    for part, known in _STEPS.items():
        for kind in _kinds(content.get(part), _LISTS.get(part)):
            if kind not in known:
                raise ValueError(f"{part} {shown(kind)} is not one of BERT's")
    _check_model(content.get("model"))
    _check_added(content.get("added_tokens") or [])
    template = content.get("post_processor") or {}
    for pieces in (template.get("single"), template.get("pair")):
        if isinstance(pieces, list) and len(pieces) > _LONGEST_TEMPLATE:
            raise ValueError(f"a template of {len(pieces)} pieces is not one of BERT's")
    return text


def read_vocabulary(file: Path) -> dict[str, int]:
    """Tokens and their ids of a `vocab.txt`, one token a line; of equal ones the last line counts.

    As the tokenizers library reads it: white space at the end of a line is no part of a token, and
    a blank line is a token that no text has. A byte order mark is dropped.

    Raises:
        ValueError: it is not UTF-8.
        UserError: it cannot be read, or is too large.
    """
    text = read_bytes(file, _LARGEST_FILE).decode("utf-8-sig")
    lines = text.removesuffix("\n").split("\n")
    return {line.rstrip(_WHITE): number for number, line in enumerate(lines)}


def _kinds(step: Any, inner: str | None) -> Iterator[object]:
    """The types of a step, or of all steps of a sequence of steps."""
    waiting = [] if step is None else [step]
    while waiting:
        step = waiting.pop()
        kind = step.get("type") if isinstance(step, dict) else step
        if kind == "Sequence" and inner is not None and isinstance(step.get(inner), list):
            waiting += step[inner]
        else:
            yield kind if isinstance(kind, str) else shown(kind)


def _check_model(model: Any) -> None:
    if not isinstance(model, dict) or model.get("type", "WordPiece") != "WordPiece":
        raise ValueError("the model is not WordPiece")
    vocabulary, longest = model.get("vocab"), model.get("max_input_chars_per_word", 100)
    if not isinstance(vocabulary, dict) or "merges" in model:
        raise ValueError("the model is not WordPiece")
    if not all(_is_id(token_id) for token_id in vocabulary.values()):
        raise ValueError(f"a token's id is not one of 0 to {_LARGEST_ID - 1}")
    if not isinstance(longest, int) or longest > _LONGEST_WORD:
        raise ValueError(
            f"max_input_chars_per_word {shown(longest)}, expected at most {_LONGEST_WORD}"
        )
    if model.get("unk_token", "[UNK]") not in vocabulary:
        raise ValueError("the token of unknown words is not in the vocabulary")


def _check_added(tokens: Any) -> None:
    if not isinstance(tokens, list) or not all(isinstance(token, dict) for token in tokens):
        raise ValueError("added_tokens is not a list of tokens")
    for token in tokens:
        if not _is_id(token.get("id")) or not token.get("content"):
            raise ValueError(f"added token {shown(token)} has no content, or no usable id")


def _is_id(value: object) -> bool:
    return type(value) is int and 0 <= value < _LARGEST_ID
