import json
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import WordPiece

from mtbert.data.ragged import Ragged
from mtbert.data.tokenizer import Tokenizer
from mtbert.errors import UserError

TEXTS = [
    "A man is singing.",
    "The film's plot -- `` absurd '' -- didn't work; naïve café, 3.5/10!",
    "unaffable antidisestablishmentarianism",
    "👍🏽 emoji 👨‍👩‍👧 and ☃",
    "שלום עולם مرحبا بالعالم",
    "日本語のテキスト ผมรักคุณ",
    "[CLS] literal [SEP] specials [MASK] [UNK] [PAD]",
    "tab\tnew\nline\r\x00\x07\u200b\u00a0end",
    "\uff26\uff35\uff2c\uff2c width \ufb01 ß İ",
    "x" * 101,
    "",
    " ",
]
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.fixture(scope="module")
def reference(packaged_folder):
    """Hugging Face's own tokenizer of the same folder."""
    from transformers import AutoTokenizer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return AutoTokenizer.from_pretrained(packaged_folder)


def rows(ragged: Ragged) -> list[list[int]]:
    return [ragged[i].tolist() for i in range(len(ragged))]


def theirs(reference, texts) -> list[list[int]]:
    return [reference(t, add_special_tokens=False, truncation=False)["input_ids"] for t in texts]


def test_ids_equal_those_of_transformers(tokenizer, reference):
    assert rows(tokenizer.encode(TEXTS)) == theirs(reference, TEXTS)


@settings(max_examples=50)
@given(texts=st.lists(text, min_size=1, max_size=4))
def test_ids_of_any_text_equal_those_of_transformers(tokenizer, reference, texts):
    assert rows(tokenizer.encode(texts)) == theirs(reference, texts)


def test_special_ids_and_vocabulary_equal_those_of_transformers(tokenizer, reference):
    assert tokenizer.cls_id == reference.cls_token_id
    assert tokenizer.sep_id == reference.sep_token_id
    assert tokenizer.vocabulary_size == len(reference)


def test_truncation_and_padding_of_the_packaged_file_are_off(tokenizer, packaged_folder):
    stored = json.loads((packaged_folder / "tokenizer.json").read_text("utf-8"))
    assert stored["truncation"]["max_length"] == 128  # else this test proves nothing
    assert stored["padding"] is not None
    encoded = tokenizer.encode(["film " * 1000, "film"])
    assert encoded.lengths.tolist() == [1000, 1]


def test_the_same_text_has_the_same_ids_in_any_company(tokenizer):
    alone = [rows(tokenizer.encode([t]))[0] for t in TEXTS]
    assert rows(tokenizer.encode(TEXTS[::-1])) == alone[::-1]
    assert rows(tokenizer.encode(TEXTS)) == alone


def test_more_texts_than_one_chunk_keep_their_order(tokenizer):
    texts = [str(i % 1000) for i in range(9000)]
    encoded = tokenizer.encode(texts)
    assert len(encoded) == 9000
    first = rows(tokenizer.encode(texts[:1000]))
    assert all(encoded[i].tolist() == first[i % 1000] for i in range(9000))


def test_a_megabyte_of_one_character_is_an_unknown_word(tokenizer, reference):
    assert rows(tokenizer.encode(["a" * 1_000_000])) == [[reference.unk_token_id]]


def test_a_long_document_is_tokenized_whole(tokenizer):
    assert tokenizer.encode(["a " * 100_000]).lengths.tolist() == [100_000]


def test_no_texts_have_no_rows(tokenizer):
    assert len(tokenizer.encode([])) == 0


def test_lone_surrogates_are_read_as_question_marks(tokenizer):
    assert rows(tokenizer.encode(["a \ud800 b\udc80"])) == rows(tokenizer.encode(["a ? b?"]))


def test_a_written_tokenizer_reads_back_equal(tokenizer, tmp_path):
    (tmp_path / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
    again = Tokenizer.from_folder(tmp_path)
    assert rows(again.encode(TEXTS)) == rows(tokenizer.encode(TEXTS))


def test_a_folder_with_a_vocabulary_alone_gives_the_same_ids(tokenizer, packaged_folder, tmp_path):
    (tmp_path / "vocab.txt").write_bytes((packaged_folder / "vocab.txt").read_bytes())
    again = Tokenizer.from_folder(tmp_path)
    assert rows(again.encode(TEXTS)) == rows(tokenizer.encode(TEXTS))
    assert (again.cls_id, again.sep_id) == (tokenizer.cls_id, tokenizer.sep_id)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no tokenizer.json and no vocab.txt"),
        ({"tokenizer.json": b"{"}, "the tokenizer cannot be read"),
        ({"tokenizer.json": b""}, "the tokenizer cannot be read"),
        ({"tokenizer.json": b"\xff\xfe"}, "the tokenizer cannot be read"),
        ({"vocab.txt": b"\xff\xfe"}, "the tokenizer cannot be read"),
        ({"vocab.txt": b"[PAD]\n[UNK]\nword\n"}, "the tokenizer cannot be read"),
        ({"vocab.txt": b""}, "the tokenizer cannot be read"),
    ],
)
def test_a_folder_without_usable_tokenizer_is_refused(tmp_path, files, message):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as error:
        Tokenizer.from_folder(tmp_path)
    assert str(tmp_path) in str(error.value)
    assert message in str(error.value)


def test_a_tokenizer_without_the_special_tokens_of_bert_is_refused(tmp_path):
    FastTokenizer(WordPiece({"a": 0}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(UserError, match=r"no token \[CLS\]"):
        Tokenizer.from_folder(tmp_path)
