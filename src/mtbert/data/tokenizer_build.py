"""The tokenizer of an encoder's folder, put together as transformers' AutoTokenizer does.

Source: transformers 5.24, tokenization_utils_tokenizers.py (`TokenizersBackend`) and
models/bert/tokenization_bert.py. BERT's class takes the vocabulary of a tokenizer.json alone and
makes the rest anew from tokenizer_config.json, so where the two disagree the latter holds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, decoders, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import WordPiece

from mtbert.data.tokenizer_file import read_tokenizer_json, read_vocabulary
from mtbert.data.tokenizer_settings import ROLES, TokenizerSettings, read_tokenizer_settings
from mtbert.errors import UserError
from mtbert.io.bounded import is_file

__all__ = ["Built", "build_tokenizer"]

_DEFAULTS = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]",
             "cls_token": "[CLS]", "mask_token": "[MASK]"}  # fmt: skip
_NEEDED = ("cls_token", "sep_token", "unk_token")
_MANY_CAPITALS = 0.05
"""Share of a vocabulary's words with capital letters; uncased ones have none."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Built:
    """A tokenizer of the tokenizers library.

    Attributes:
        fast: the tokenizer.
        roles: its special tokens by role; `unk_token`, `cls_token` and `sep_token` are among them.
    """

    fast: FastTokenizer
    roles: Mapping[str, str]


def build_tokenizer(folder: Path) -> Built:
    """Read `tokenizer.json`, or else `vocab.txt`, and what the files beside it say.

    Raises:
        UserError: there is neither, a file cannot be read, or it is another kind of tokenizer.
        ValueError: the tokenizer is none of BERT's.
    """
    file, vocabulary = folder / "tokenizer.json", folder / "vocab.txt"
    if is_file(file):
        text = read_tokenizer_json(file)
        stored = json.loads(text)
        settings = read_tokenizer_settings(folder, stored.get("added_tokens") or [])
        if settings.as_stored:
            return _as_stored(folder, text, settings)
        built = _rebuilt(folder, stored["model"]["vocab"], settings)
        _tell_disagreement(folder, stored.get("normalizer"), built.fast)
        return built
    if is_file(vocabulary):
        settings = read_tokenizer_settings(folder, [])
        return _rebuilt(folder, read_vocabulary(vocabulary), settings)
    raise UserError(f"{folder}: no tokenizer.json and no vocab.txt")


def _rebuilt(folder: Path, vocabulary: dict[str, int], settings: TokenizerSettings) -> Built:
    """From the vocabulary, as BertTokenizer is made."""
    named = {key: AddedToken(token, special=True) for key, token in _DEFAULTS.items()}
    named |= settings.named
    there = {*vocabulary, *(token.content for token in settings.added)}
    _check_named(named, vocabulary, there)
    fast = FastTokenizer(WordPiece(vocabulary, unk_token=named["unk_token"].content))
    lower_case, strip_accents = settings.lower_case, settings.strip_accents
    if settings.lower_case_first and not lower_case:
        lower_case, strip_accents = True, bool(strip_accents)
    fast.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=settings.chinese,
        strip_accents=strip_accents,
        lowercase=lower_case,
    )
    fast.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    fast.decoder = decoders.WordPiece(prefix="##")
    _add(fast, settings, named)
    roles = _present(fast, named)
    _put_between(fast, roles)
    if lower_case and not settings.lower_case_said:
        _tell_capitals(folder, vocabulary)
    if settings.ignored:
        _log.warning(
            "%s: not applied, as in transformers' fast tokenizers: %s",
            folder, ", ".join(settings.ignored),
        )  # fmt: skip
    return Built(fast, roles)


def _as_stored(folder: Path, text: str, settings: TokenizerSettings) -> Built:
    """From tokenizer.json as it is, as PreTrainedTokenizerFast is made."""
    fast = FastTokenizer.from_str(text)
    _add(fast, settings, settings.named)
    if settings.lower_case_first:
        steps = [normalizers.Lowercase(), *([fast.normalizer] if fast.normalizer else [])]
        fast.normalizer = normalizers.Sequence(steps)
    named = {key: token.content for key, token in settings.named.items()}
    for key in ("pad_token", "cls_token", "sep_token", "mask_token"):
        if fast.token_to_id(named.get(key, "")) is None:
            named[key] = _DEFAULTS[key]
    named["unk_token"] = fast.model.unk_token
    around = fast.encode("", "", add_special_tokens=True)
    if around.type_ids == [0, 0, 1] and around.ids[1] == around.ids[2]:
        named |= {"cls_token": around.tokens[0], "sep_token": around.tokens[1]}
    elif all(fast.token_to_id(named[key]) is not None for key in _NEEDED):
        _log.warning(
            "%s: tokenizer.json does not put texts between %s and %s as BERT does; here they are",
            folder, named["cls_token"], named["sep_token"],
        )  # fmt: skip
        _put_between(fast, named)
    return Built(fast, {k: t for k, t in named.items() if fast.token_to_id(t) is not None})


def _check_named(
    named: Mapping[str, AddedToken], vocabulary: Mapping[str, int], there: set[str]
) -> None:
    """Refuse a vocabulary without the tokens that every sequence has."""
    for key in _NEEDED:
        token = named[key].content
        if token not in (vocabulary if key == "unk_token" else there):
            raise ValueError(
                f"the vocabulary has no token {token}, which BERT needs (another name for it is "
                f"told by {key} in tokenizer_config.json)"
            )


def _add(fast: FastTokenizer, settings: TokenizerSettings, named: Mapping[str, AddedToken]) -> None:
    """Add tokens as transformers does: those beside the vocabulary, then missing special ones.

    A special token that no file has gets the next id there, even one that the encoder has no
    vector for; here such a one is left out.
    """
    stored = {repr(token) for token in fast.get_added_tokens_decoder().values()}
    specials = {token.content for token in named.values()}
    adding = []
    for token in settings.added:
        if repr(token) not in stored:
            token.special = token.special or token.content in specials
            adding.append(token)
    known = {token.content for token in fast.get_added_tokens_decoder().values()}
    known |= {token.content for token in adding}
    in_order = [
        named[key] for key in (*ROLES, *(k for k in named if k not in ROLES)) if key in named
    ]
    for token in (*in_order, *settings.extra):
        if token.content not in known:
            known.add(token.content)
            adding.append(token)
    declared = {token.content for token in settings.added}
    chosen, size = [], fast.get_vocab_size()
    for token in adding:
        new = fast.token_to_id(token.content) is None
        if not new or size < settings.rows or token.content in declared:
            chosen.append(token)
            size += new
    fast.add_tokens(chosen)
    fast.encode_special_tokens = settings.split_special


def _present(fast: FastTokenizer, named: Mapping[str, AddedToken]) -> dict[str, str]:
    roles = {key: token.content for key, token in named.items() if key in ROLES}
    return {key: token for key, token in roles.items() if fast.token_to_id(token) is not None}


def _put_between(fast: FastTokenizer, roles: Mapping[str, str]) -> None:
    """[CLS] A [SEP] and [CLS] A [SEP] B [SEP], segments 0 and 1."""
    sep, cls = ((roles[key], _id(fast, roles[key])) for key in ("sep_token", "cls_token"))
    fast.post_processor = processors.BertProcessing(sep, cls)


def _id(fast: FastTokenizer, token: str) -> int:
    number = fast.token_to_id(token)
    assert number is not None, token
    return int(number)


def _tell_disagreement(folder: Path, stored: Any, fast: FastTokenizer) -> None:
    """Say where tokenizer.json would treat texts otherwise than tokenizer_config.json does."""
    ours = json.loads(fast.to_str())["normalizer"]
    if not isinstance(stored, dict) or stored.get("type") != "BertNormalizer":
        differs = stored is not None
    else:
        differs = _effects(stored) != _effects(ours)
    if differs:
        case = "lower-cased" if ours["lowercase"] else "not lower-cased"
        _log.warning(
            "%s: tokenizer.json and tokenizer_config.json disagree; as in transformers the latter "
            "holds: texts are %s (do_lower_case, strip_accents and tokenize_chinese_chars there "
            "decide, true, null and true where they are missing)",
            folder, case,
        )  # fmt: skip


def _effects(normalizer: Mapping[str, Any]) -> tuple[object, ...]:
    lower = normalizer.get("lowercase")
    strip = normalizer.get("strip_accents")
    return (
        lower,
        lower if strip is None else strip,
        normalizer.get("handle_chinese_chars"),
        normalizer.get("clean_text"),
    )


def _tell_capitals(folder: Path, vocabulary: Mapping[str, int]) -> None:
    """Say that a cased vocabulary is read in lower case, which transformers does in silence."""
    words = [token for token in vocabulary if token[:1] != "[" and token.lower() != token.upper()]
    capitals = sum(word != word.lower() for word in words)
    if words and capitals / len(words) > _MANY_CAPITALS:
        _log.warning(
            "%s: texts are lower-cased, since no file says otherwise, but %.0f%% of the "
            "vocabulary's words have capital letters; if the encoder is a cased one, write "
            '{"do_lower_case": false} into tokenizer_config.json of a copy of it',
            folder, 100 * capitals / len(words),
        )  # fmt: skip
