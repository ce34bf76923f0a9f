"""WordPiece tokenization by the tokenizers library; special tokens and truncation are ours.

Each text is tokenized alone and kept without special tokens, so one tokenization serves both pair
encodings, and truncation that a tokenizer.json carries with it cannot cut anything unseen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

from mtbert.data.ragged import Ragged
from mtbert.data.tokenizer_file import read_tokenizer_json, read_vocabulary
from mtbert.errors import UserError

__all__ = ["Tokenizer"]

_CHUNK = 4096


class Tokenizer:
    """A WordPiece tokenizer with [CLS] and [SEP]."""

    def __init__(self, fast: FastTokenizer) -> None:
        fast.no_truncation()
        fast.no_padding()
        self._fast = fast
        self.cls_id = self._special("[CLS]")
        self.sep_id = self._special("[SEP]")
        self._special("[UNK]")

    @classmethod
    def from_folder(cls, folder: Path) -> Tokenizer:
        """Read `tokenizer.json`, or else `vocab.txt` (taken as uncased).

        Raises:
            UserError: neither file is there, or it cannot be used.
        """
        file, vocabulary = folder / "tokenizer.json", folder / "vocab.txt"
        try:
            if file.is_file():
                return cls(FastTokenizer.from_str(read_tokenizer_json(file)))
            if vocabulary.is_file():
                return cls(BertWordPieceTokenizer(read_vocabulary(vocabulary))._tokenizer)
        except UserError as error:
            raise UserError(f"{folder}: {error}") from None
        except Exception as error:  # tokenizers raises bare Exception for a bad file
            raise UserError(f"{folder}: the tokenizer cannot be read: {error}") from None
        raise UserError(f"{folder}: no tokenizer.json and no vocab.txt")

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
        """One more than the largest token id, added tokens included."""
        return 1 + max(self._fast.get_vocab(with_added_tokens=True).values())

    @cached_property
    def digest(self) -> str:
        """What decides the token ids of a text: the tokenizer's content, the library's version."""
        content = f"{tokenizers.__version__}\n{self.to_json()}"
        return hashlib.sha256(content.encode()).hexdigest()

    def to_json(self) -> str:
        """The content of a `tokenizer.json`."""
        return str(self._fast.to_str(pretty=False))

    def _special(self, token: str) -> int:
        token_id = self._fast.token_to_id(token)
        if token_id is None:
            raise UserError(f"the tokenizer has no token {token}, which BERT needs")
        return int(token_id)


def _utf8(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
