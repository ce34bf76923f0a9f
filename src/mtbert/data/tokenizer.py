"""Text → token ids, by the tokenizers library; special tokens and truncation are ours.

Each text is tokenized alone and kept without special tokens, so one tokenization serves both pair
encodings, and truncation that a tokenizer.json carries with it cannot cut anything unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

from mtbert.data.tokenizer_file import read_tokenizer_json, read_vocabulary
from mtbert.errors import UserError

__all__ = ["Ragged", "Tokenizer"]

_CHUNK = 4096


class Ragged:
    """Rows of different lengths in one array.

    Attributes:
        values: `[total]`, int32.
        offsets: `[rows + 1]`, int64; row i is `values[offsets[i]:offsets[i + 1]]`.
    """

    def __init__(self, values: NDArray[np.int32], offsets: NDArray[np.int64]) -> None:
        self.values = values
        self.offsets = offsets

    @classmethod
    def from_rows(cls, rows: Iterable[Sequence[int] | NDArray[np.int32]]) -> Ragged:
        """Join rows."""
        arrays = [np.asarray(row, dtype=np.int32) for row in rows]
        offsets = np.zeros(len(arrays) + 1, dtype=np.int64)
        np.cumsum([len(a) for a in arrays], out=offsets[1:])
        return cls(np.concatenate(arrays) if arrays else np.zeros(0, np.int32), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> NDArray[np.int32]:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[NDArray[np.int32]]:
        return (self[row] for row in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """`[rows]`."""
        return np.diff(self.offsets)


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
        rows: list[Sequence[int]] = []
        for start in range(0, len(texts), _CHUNK):
            chunk = [_utf8(text) for text in texts[start : start + _CHUNK]]
            rows += [e.ids for e in self._fast.encode_batch_fast(chunk, add_special_tokens=False)]
        return Ragged.from_rows(rows)

    @property
    def vocabulary_size(self) -> int:
        """One more than the largest token id, added tokens included."""
        return 1 + max(self._fast.get_vocab(with_added_tokens=True).values())

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
