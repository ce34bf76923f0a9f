import copy
import json

import pytest

from mtbert.data.tokenizer_file import read_tokenizer_json, read_vocabulary
from mtbert.errors import UserError

PLAIN = {
    "added_tokens": [{"id": 0, "content": "[PAD]"}],
    "normalizer": {"type": "BertNormalizer"},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "TemplateProcessing", "single": [1, 2, 3], "pair": [1] * 5},
    "decoder": {"type": "WordPiece"},
    "model": {
        "type": "WordPiece",
        "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "film": 4},
        "max_input_chars_per_word": 100,
    },
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "tokenizer.json"


def changed(**changes):
    """The plain content with values at dotted keys (`__` for a dot); None removes one."""
    content = copy.deepcopy(PLAIN)
    for dotted, value in changes.items():
        *path, last = dotted.split("__")
        inner = content
        for key in path:
            inner = inner[key]
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"normalizer": None},
        {"model__type": None},
        {"model__max_input_chars_per_word": 200},
        {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "Strip"}]}},
        {
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [{"type": "Sequence", "pretokenizers": [{"type": "Digits"}]}],
            }
        },
        {"added_tokens": []},
    ],
)
def test_what_bert_has_is_accepted_as_it_is(file, changes):
    file.write_text(changed(**changes))
    assert read_tokenizer_json(file) == changed(**changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"normalizer": {"type": "Replace"}}, "normalizer 'Replace' is not one of BERT's"),
        (
            {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend"}]}},
            "normalizer 'Prepend' is not one of BERT's",
        ),
        ({"normalizer": {"type": "Sequence"}}, "normalizer 'Sequence' is not one of BERT's"),
        ({"normalizer": 5}, "normalizer '5' is not one of BERT's"),
        ({"pre_tokenizer": {"type": "Split"}}, "pre_tokenizer 'Split' is not one"),
        ({"post_processor__type": "ByteLevel"}, "post_processor 'ByteLevel' is not one"),
        ({"decoder__type": "Replace"}, "decoder 'Replace' is not one"),
        ({"post_processor__pair": [1] * 9}, "a template of 9 pieces"),
        ({"model": None}, "not WordPiece"),
        ({"model__type": "BPE"}, "not WordPiece"),
        ({"model__merges": []}, "not WordPiece"),
        ({"model__vocab": []}, "not WordPiece"),
        ({"model__vocab__film": -1}, "a token's id is not one of 0 to 9999999"),
        ({"model__vocab__film": 10_000_000}, "a token's id is not one of"),
        ({"model__vocab__film": True}, "a token's id is not one of"),
        ({"model__vocab__film": 4.0}, "a token's id is not one of"),
        ({"model__max_input_chars_per_word": 201}, "max_input_chars_per_word 201"),
        ({"model__max_input_chars_per_word": "x"}, "max_input_chars_per_word 'x'"),
        ({"model__vocab__[UNK]": None}, "the token of unknown words is not in the vocabulary"),
        ({"added_tokens": {"a": 1}}, "added_tokens is not a list of tokens"),
        ({"added_tokens": [5]}, "added_tokens is not a list of tokens"),
        ({"added_tokens": [{"id": 1 << 40, "content": "x"}]}, "has no content, or no usable id"),
        ({"added_tokens": [{"id": 1, "content": ""}]}, "has no content, or no usable id"),
    ],
)
def test_what_bert_does_not_have_is_refused_by_name(file, changes, told):
    file.write_text(changed(**changes))
    with pytest.raises(ValueError, match=told):
        read_tokenizer_json(file)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[]", "expected a JSON object, found list"),
        ("{", "Expecting property name"),
        ('{"model": 1, "model": 2}', "a key occurs twice"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_object_is_refused(file, content, told):
    file.write_text(content)
    with pytest.raises(ValueError, match=told):
        read_tokenizer_json(file)


def test_a_file_larger_than_any_of_berts_is_refused(file):
    with file.open("wb") as stream:
        stream.truncate((16 << 20) + 1)
    for read in (read_tokenizer_json, read_vocabulary):
        with pytest.raises(UserError, match="16777217 bytes, expected at most 16777216"):
            read(file)


def test_a_vocabulary_numbers_its_lines_and_the_last_of_equal_ones_counts(tmp_path):
    file = tmp_path / "vocab.txt"
    file.write_bytes("[PAD]\r\n[UNK]\nfilm\n\nfilm\né\n\n".encode())
    assert read_vocabulary(file) == {"[PAD]": 0, "[UNK]": 1, "film": 4, "": 6, "é": 5}
    file.write_bytes("\ufeff[PAD]\nfilm \u3000\n".encode())
    assert read_vocabulary(file) == {"[PAD]": 0, "film": 1}
    file.write_bytes(b"\xff\n")
    with pytest.raises(ValueError, match="utf-8"):
        read_vocabulary(file)
