import json

import pytest

from mtbert.data.tokenizer_settings import TokenizerSettings, read_tokenizer_settings
from mtbert.errors import UserError


def read(folder, stored=(), **files):
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return read_tokenizer_settings(folder, list(stored))


def test_without_files_everything_is_as_of_bert(tmp_path):
    assert read(tmp_path) == TokenizerSettings()


def test_flags_are_read(tmp_path):
    found = read(
        tmp_path,
        config={"vocab_size": 12},
        tokenizer_config={
            "do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False,
            "split_special_tokens": True,
        },
    )  # fmt: skip
    assert (found.lower_case, found.lower_case_said, found.strip_accents) == (False, True, True)
    assert (found.chinese, found.split_special, found.rows) == (False, True, 12)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"do_lower_case": "false"}, "do_lower_case 'false', expected true or false"),
        ({"strip_accents": 0}, "strip_accents 0, expected true or false"),
        ({"cls_token": 5}, "cls_token: 5 is not a token"),
        ({"cls_token": {"text": "a"}}, "is not a token"),
        ({"cls_token": {"content": "a", "lstrip": 1}}, "is not a token"),
        ({"added_tokens_decoder": ["a"]}, "expected tokens by their ids"),
        ({"added_tokens_decoder": {"x": {"content": "a"}}}, "'x' is not a token's id"),
        ({"added_tokens_decoder": {"1": None}}, r"added_tokens_decoder\.1: None is not a token"),
        ({"extra_special_tokens": 3}, "expected a list of tokens"),
    ],
)
def test_values_of_other_types_are_refused_by_name(tmp_path, said, told):
    with pytest.raises(UserError, match=told):
        read(tmp_path, tokenizer_config=said)


def test_a_damaged_file_is_refused_by_name(tmp_path):
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(UserError, match=r"tokenizer_config\.json: damaged"):
        read(tmp_path)


def test_added_tokens_come_in_the_order_of_their_ids(tmp_path):
    decoder = {"31": {"content": "b"}, "9": {"content": "a"}, "100": {"content": "c"}}
    found = read(tmp_path, tokenizer_config={"added_tokens_decoder": decoder})
    assert [token.content for token in found.added] == ["a", "b", "c"]
    (tmp_path / "tokenizer_config.json").unlink()
    found = read(tmp_path, stored=[{"id": 3, "content": "z"}], added_tokens={"y": 5, "x": 4})
    assert [token.content for token in found.added] == ["z", "x", "y"]


def test_with_a_decoder_of_added_tokens_the_older_files_are_not_read(tmp_path):
    older = {"special_tokens_map": {"cls_token": "<s>"}, "added_tokens": {"x": 4}}
    assert read(tmp_path, **older).named["cls_token"].content == "<s>"
    found = read(tmp_path, tokenizer_config={"added_tokens_decoder": {}}, **older)
    assert (dict(found.named), found.added) == ({}, ())
