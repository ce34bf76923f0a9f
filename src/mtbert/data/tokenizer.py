"""WordPiece tokenization by the tokenizers library; special tokens and truncation are ours.

Each text is tokenized alone and kept without special tokens, so one tokenization serves both pair
encodings, and truncation that a tokenizer.json carries with it cannot cut anything unseen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer as FastTokenizer

from mtbert.data.ragged import Ragged
from mtbert.data.tokenizer_build import build_tokenizer
from mtbert.errors import UserError

__all__ = ["Tokenizer"]

_CHUNK = 4096
_NAMES = {"cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}


class Tokenizer:
    """A WordPiece tokenizer with [CLS] and [SEP], or what these are called in its vocabulary.

    Attributes:
        roles: the special tokens by role (`cls_token`, …), as far as there are some.
        cls_id: of the token before a sequence.
        sep_id: of the token after a text.
        unknown_id: of what stands in the place of a word that the vocabulary does not have.
    """

    def __init__(self, fast: FastTokenizer, roles: Mapping[str, str] = _NAMES) -> None:
        fast.no_truncation()
        fast.no_padding()
        self._fast = fast
        self.roles = dict(roles)
        self.cls_id, self.sep_id, self.unknown_id = (self._special(role) for role in _NAMES)

    @classmethod
    def from_folder(cls, folder: Path) -> Tokenizer:
        """Read the tokenizer of an encoder's folder as transformers' AutoTokenizer reads it.

        Raises:
            UserError: it is not there, is another kind of tokenizer, or cannot be used.
        """
        try:
            built = build_tokenizer(folder)
            return cls(built.fast, built.roles)
        except UserError as error:
            where = "" if str(folder) in str(error) else f"{folder}: "
            raise UserError(f"{where}{error}") from None
        except Exception as error:  # tokenizers raises bare Exception for a bad file
            raise UserError(f"{folder}: the tokenizer cannot be read: {error}") from None

    def encode(self, texts: Sequence[str]) -> Ragged:
        """Token ids of each text, without special tokens, `[texts]` rows.

        Lone surrogates, which no UTF-8 text holds, are read as question marks.
        """
        parts = [Ragged.from_rows([])]
        for start in range(0, len(texts), _CHUNK):
            chunk = [_utf8(text) for text in texts[start : start + _CHUNK]]
            encodings = self._fast.encode_batch_fast(chunk, add_special_tokens=False)
            parts.append(Ragged.from_rows([encoding.ids for encoding in encodings]))
        return Ragged.join(parts)

    @property
    def vocabulary_size(self) -> int:
        """One more than the largest token id, added tokens included.

        A blank line of a vocabulary is no token: nothing is ever read as it.
        """
        tokens = self._fast.get_vocab(with_added_tokens=True)
        return 1 + max(number for token, number in tokens.items() if token)

    @property
    def splits_special(self) -> bool:
        """Whether special tokens that stand in a text are split like other words."""
        return bool(self._fast.encode_special_tokens)

    @cached_property
    def digest(self) -> str:
        """What decides the token ids of a text: the tokenizer's content, the library's version."""
        beside = f"{self.cls_id} {self.sep_id} {self.splits_special}"
        content = f"{tokenizers.__version__}\n{beside}\n{self.to_json()}"
        return hashlib.sha256(content.encode()).hexdigest()

    def to_json(self) -> str:
        """The content of a `tokenizer.json`."""
        return str(self._fast.to_str(pretty=False))

    def _special(self, role: str) -> int:
        token = self.roles.get(role, _NAMES[role])
        token_id = self._fast.token_to_id(token)
        if token_id is None:
            raise UserError(f"the tokenizer has no token {token}, which BERT needs")
        return int(token_id)


def _utf8(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
