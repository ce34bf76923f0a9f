"""Tokenizers of every layout, against transformers' AutoTokenizer."""

import json
import logging

import pytest
from support.tokenizers import assert_alike, auto_tokenizer, random_folder, write_as_run
from tokenizers import normalizers

from mtbert.data.tokenizer import Tokenizer
from mtbert.errors import UserError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "The", "the", "Paris", "paris", "é", "e"]


def write_folder(folder, words=WORDS, **files):
    """A folder with a vocabulary; `tokenizer_config={…}` is the content of that JSON file."""
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    config = {"model_type": "bert", "vocab_size": len(words)}
    for name, content in ({"config": config} | files).items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def tokens(folder, text):
    tokenizer = Tokenizer.from_folder(folder)
    return [tokenizer._fast.id_to_token(i) for i in tokenizer.encode([text])[0].tolist()]


def check(folder, seed):
    texts = random_folder(folder / "encoder", seed)
    rows = json.loads((folder / "encoder" / "config.json").read_text())["vocab_size"]
    ours = Tokenizer.from_folder(folder / "encoder")
    assert_alike(ours, auto_tokenizer(folder / "encoder"), texts, rows)
    run = write_as_run(ours, folder / "run", rows)
    assert_alike(ours, auto_tokenizer(run), texts, rows)
    again = Tokenizer.from_folder(run)
    assert_alike(again, auto_tokenizer(run), texts, rows)
    assert again.roles == ours.roles


@pytest.mark.parametrize("seed", range(60))
def test_encoder_and_run_give_the_ids_of_autotokenizer(tmp_path, seed):
    check(tmp_path, seed)


@pytest.mark.long
@pytest.mark.parametrize("start", range(100, 1100, 50))
def test_encoder_and_run_give_the_ids_of_autotokenizer_a_thousand_times(tmp_path, start):
    for seed in range(start, start + 50):
        (tmp_path / str(seed)).mkdir()
        check(tmp_path / str(seed), seed)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ["the", "paris", "e"]),
        ({"do_lower_case": True}, ["the", "paris", "e"]),
        ({"do_lower_case": True, "strip_accents": False}, ["the", "paris", "é"]),
        ({"do_lower_case": False}, ["The", "Paris", "é"]),
        ({"do_lower_case": False, "strip_accents": True}, ["The", "Paris", "e"]),
    ],
)
def test_letter_case_and_accents_are_what_tokenizer_config_says(tmp_path, said, expected):
    folder = write_folder(tmp_path, tokenizer_config=said)
    assert tokens(folder, "The Paris é") == expected
    assert auto_tokenizer(folder).tokenize("The Paris é") == expected


def test_lower_case_that_sentence_transformers_applies_first_is_applied(tmp_path):
    said, first = {"do_lower_case": False}, {"max_seq_length": 128, "do_lower_case": True}
    folder = write_folder(tmp_path, tokenizer_config=said, sentence_bert_config=first)
    assert tokens(folder, "The Paris é") == ["the", "paris", "é"]
    folder = write_folder(
        tmp_path, tokenizer_config=said, sentence_bert_config={"do_lower_case": False}
    )
    assert tokens(folder, "The Paris é") == ["The", "Paris", "é"]
    stored = Tokenizer.from_folder(folder)._fast
    (folder / "tokenizer.json").write_text(stored.to_str(), encoding="utf-8")
    folder = write_folder(
        tmp_path,
        tokenizer_config={"tokenizer_class": "PreTrainedTokenizerFast"},
        sentence_bert_config=first,
    )
    assert tokens(folder, "The Paris é") == ["the", "paris", "é"]


def test_a_cased_vocabulary_that_is_lower_cased_in_silence_is_said(tmp_path, caplog):
    folder = write_folder(tmp_path)
    Tokenizer.from_folder(folder)
    assert "33% of the vocabulary's words have capital letters" in caplog.text
    assert '{"do_lower_case": false}' in caplog.text
    caplog.clear()
    write_folder(tmp_path, tokenizer_config={"do_lower_case": True})
    Tokenizer.from_folder(folder)
    write_folder(tmp_path, [w for w in WORDS if w not in ("The", "Paris")], tokenizer_config={})
    Tokenizer.from_folder(folder)
    assert not caplog.records


def test_a_tokenizer_json_that_says_something_else_is_told(tmp_path, caplog):
    folder = write_folder(tmp_path, tokenizer_config={"do_lower_case": False})
    fast = Tokenizer.from_folder(folder)._fast
    fast.normalizer = normalizers.BertNormalizer(lowercase=True)
    (folder / "tokenizer.json").write_text(fast.to_str(), encoding="utf-8")
    assert tokens(folder, "The Paris é") == ["The", "Paris", "é"]
    assert "tokenizer.json and tokenizer_config.json disagree" in caplog.text
    assert "texts are not lower-cased" in caplog.text


def test_a_finished_runs_tokenizer_json_holds_whatever_lies_beside_it(tmp_path):
    """Earlier versions wrote no letter case into tokenizer_config.json."""
    folder = write_folder(tmp_path, tokenizer_config={"do_lower_case": False})
    stored = Tokenizer.from_folder(folder).to_json()
    write_folder(tmp_path, tokenizer_config={"tokenizer_class": "BertTokenizerFast"}, mtbert={})
    (folder / "tokenizer.json").write_text(stored, encoding="utf-8")
    assert tokens(folder, "The Paris é") == ["The", "Paris", "é"]


@pytest.mark.parametrize("where", ["config", "tokenizer_config"])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("BertJapaneseTokenizer", "it splits Japanese into words by MeCab"),
        ("RobertaTokenizerFast", "take a BERT whose tokenizer is WordPiece"),
        ("MPNetTokenizer", "is not BERT's"),
        (7, "tokenizer_class 7 is not BERT's"),
    ],
)
def test_tokenizers_of_other_classes_are_refused_with_what_to_do(tmp_path, where, name, told):
    folder = write_folder(tmp_path, **{where: {"tokenizer_class": name}})
    with pytest.raises(UserError, match=told):
        Tokenizer.from_folder(folder)


def test_a_class_of_the_model_own_may_be_a_plain_tokenizer_json(tmp_path):
    folder = write_folder(tmp_path)
    (folder / "tokenizer.json").write_text(Tokenizer.from_folder(folder).to_json(), "utf-8")
    write_folder(tmp_path, tokenizer_config={"tokenizer_class": "OursTokenizer"})
    with pytest.raises(UserError, match="write PreTrainedTokenizerFast in its place"):
        Tokenizer.from_folder(folder)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n", b"\n\n\n", b" \n"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_a_vocabulary_may_end_and_begin_in_any_way(tmp_path, start, end):
    folder = write_folder(tmp_path)
    line = b"\r\n" if b"\r" in end else b"\n"
    (folder / "vocab.txt").write_bytes(start + line.join(w.encode() for w in WORDS) + end)
    tokenizer = Tokenizer.from_folder(folder)
    assert tokenizer.encode(["the e"])[0].tolist() == [6, 10]
    assert tokenizer.vocabulary_size == len(WORDS)


def test_special_tokens_have_the_names_that_the_files_give_them(tmp_path):
    words = ["<pad>", "<unk>", "e", "</s>", "<s>", "<mask>"]
    named = {
        "cls_token": "<s>",
        "sep_token": {"content": "</s>", "lstrip": False},
        "unk_token": {"__type": "AddedToken", "content": "<unk>", "special": True},
        "pad_token": "<pad>",
        "mask_token": "<mask>",
    }
    plain = {key: v if isinstance(v, str) else v["content"] for key, v in named.items()}
    for files in ({"tokenizer_config": named}, {"special_tokens_map": plain}):
        folder = write_folder(tmp_path / next(iter(files)), words, **files)
        tokenizer = Tokenizer.from_folder(folder)
        assert (tokenizer.cls_id, tokenizer.sep_id, tokenizer.unknown_id) == (4, 3, 1)
        assert tokenizer.encode(["e x <mask>"])[0].tolist() == [2, 1, 5]


@pytest.mark.parametrize("missing", ["[CLS]", "[SEP]", "[UNK]"])
def test_a_vocabulary_without_a_needed_token_is_refused_by_its_name(tmp_path, missing):
    folder = write_folder(tmp_path, [w for w in WORDS if w != missing])
    with pytest.raises(UserError) as error:
        Tokenizer.from_folder(folder)
    assert f"no token {missing}" in str(error.value)


@pytest.mark.parametrize(("rows", "added"), [(9, False), (10, True), (11, True)])
def test_a_missing_mask_is_a_token_only_where_the_encoder_has_a_row_for_it(tmp_path, rows, added):
    words = [w for w in WORDS if w not in ("[MASK]", "[PAD]")]
    folder = write_folder(tmp_path, words, config={"model_type": "bert", "vocab_size": rows})
    tokenizer = Tokenizer.from_folder(folder)
    assert ("pad_token" in tokenizer.roles) == added
    assert tokenizer.vocabulary_size <= rows


def test_settings_that_only_python_tokenizers_have_are_said(tmp_path, caplog):
    said = {"never_split": ["New"], "do_basic_tokenize": False, "do_lower_case": True}
    with caplog.at_level(logging.WARNING):
        Tokenizer.from_folder(write_folder(tmp_path, tokenizer_config=said))
    assert "never_split ['New'], do_basic_tokenize false" in caplog.text


def test_texts_stand_between_the_special_tokens_where_the_file_does_not_put_them(tmp_path, caplog):
    folder = write_folder(tmp_path)
    stored = json.loads(Tokenizer.from_folder(folder).to_json()) | {"post_processor": None}
    (folder / "tokenizer.json").write_text(json.dumps(stored), encoding="utf-8")
    write_folder(tmp_path, tokenizer_config={"tokenizer_class": "PreTrainedTokenizerFast"})
    caplog.clear()
    tokenizer = Tokenizer.from_folder(folder)
    assert "does not put texts between [CLS] and [SEP]" in caplog.text
    assert tokenizer._fast.encode("e", "the").tokens == ["[CLS]", "e", "[SEP]", "the", "[SEP]"]
