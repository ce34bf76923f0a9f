"""Small inputs that would take much memory or time are refused, or read within a bound."""

import io
import json
import os
import struct
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support.harness import memory_of
from support.toy import copy_model

from mtbert.config.load import load_config
from mtbert.config.tasks import TaskSettings
from mtbert.data.examples import Example, read_examples
from mtbert.data.readers.table import read_table
from mtbert.data.tokenizer import Tokenizer
from mtbert.errors import UserError
from mtbert.inference import predict
from mtbert.inference.model import MultitaskModel
from mtbert.io.bounded import read_json, read_lines
from mtbert.model.convert_pickle import convert_legacy
from mtbert.model.encoders.config import read_config
from mtbert.model.saved import load_network
from mtbert.model.tensors import read_tensors

MEBIBYTE = 1 << 20


def refused(action, told, mebibytes=64):
    """The action is refused with this message, in this much memory."""

    def act():
        with pytest.raises(UserError) as error:
            action()
        assert told in str(error.value)

    assert memory_of(act) < mebibytes * MEBIBYTE


def test_a_bomb_of_aliases_is_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    (tmp_path / "c.yaml").write_text("\n".join(lines))
    refused(lambda: load_config(str(tmp_path / "c.yaml")), ":2: aliases (*name) are not allowed")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: {<<: [" + "{a: 1}, " * 9000 + "]}", "merge keys (<<) are not allowed"),
        ("a: [" + "[], " * 20_000 + "]", "more than 10000 keys and values"),
        ("\n".join(f"k{i}: 1" for i in range(20_000)), "more than 10000 keys and values"),
        ("a: " + "[" * 100_000, "nested too deeply"),
        ("? " * 100_000, "nested too deeply"),
        ("# comment\n" * 5_000_000, "50000000 bytes, expected at most 262144"),
    ],
    ids=["merge", "flow", "lines", "deep", "keys", "50 MB"],
)
def test_a_configuration_that_keeps_the_parser_busy_is_refused(tmp_path, text, told):
    (tmp_path / "c.yaml").write_text(text)
    refused(lambda: load_config(str(tmp_path / "c.yaml")), told)


def test_an_override_that_is_a_bomb_is_refused():
    for text in ("seed=" + "[" * 1000, "a." * 5000 + "b=1", "seed=" + "x" * MEBIBYTE):
        with pytest.raises(UserError, match="override"):
            load_config("demo", [text])


def test_a_line_of_a_gibibyte_is_refused_without_reading_it(tmp_path):
    """A sparse file: it holds a gibibyte of NUL and takes no place on disk."""
    file = tmp_path / "rows.csv"
    file.write_bytes(b"id,sentence,label\n")
    os.truncate(file, 1 << 30)
    task = TaskSettings(kind="classification", labels=("bad", "good"), train="t")
    refused(lambda: read_examples(file, task), "rows.csv:2: a line of more than 2 MiB")


class Endless(io.RawIOBase):
    """A header, then the same line for ever; counts what was taken of it."""

    def __init__(self, header, line):
        self.rest, self.line, self.taken = header, line, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self.rest:
            self.rest = self.line * (len(buffer) // len(self.line) + 1)
        part, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
        buffer[: len(part)] = part
        self.taken += len(part)
        assert self.taken < 64 * MEBIBYTE, "reads on and on"
        return len(part)


@pytest.mark.parametrize("line", [b'","\n', b"x\n", b'""\n', b'x,""\n'])
def test_a_row_that_never_ends_is_refused(line):
    def read():
        stream = io.BufferedReader(Endless(b'a,b\n"', line))
        return list(read_table(stream, "rows.csv").rows)

    refused(read, "rows.csv:2: a row of more than 2 MiB; is a quote left open?", 100)


@pytest.mark.parametrize("inner", ["[],", "{},", '"",', "0,"])
def test_a_json_line_of_very_many_values_is_read_in_bounded_memory(inner):
    count = (2 * MEBIBYTE - 100) // len(inner)
    raw = f'{{"sentence": "x", "more": [{inner * count}0]}}\n'.encode()
    grown = memory_of(lambda: list(read_table(io.BytesIO(raw), "rows.jsonl").rows))
    assert grown < 200 * MEBIBYTE


def test_messages_on_rows_hold_no_long_values(tmp_path):
    row = json.dumps({"id": "i" * MEBIBYTE, "sentence": "x", "label": "l" * 1000})
    good = json.dumps({"id": "i" * MEBIBYTE, "sentence": "x", "label": "good"})
    (tmp_path / "rows.jsonl").write_text(f"{row}\n{good}\n{good}\n")
    task = TaskSettings(kind="classification", labels=("bad", "good"), train="t")
    with pytest.raises(UserError, match="2 problems") as error:
        read_examples(tmp_path / "rows.jsonl", task)
    assert len(str(error.value)) < 1000


def test_a_json_file_that_is_large_deep_or_double_is_refused(tmp_path):
    file = tmp_path / "x.json"
    for text, told in [
        ("[" * 100_000, "damaged"),
        ('{"a":' * 100_000, "damaged"),
        ('{"a": 1, "a": 2}', "a key occurs twice"),
        (f'{{"a": {"9" * 5000}}}', "damaged"),
        (" " * (5 * MEBIBYTE), "expected at most 4194304"),
        ("[]", "expected a JSON object, found list"),
        ('{"a": "\xff"}'.encode("latin-1"), "damaged"),
    ]:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        refused(lambda: read_json(file), told)


def test_json_lines_without_end_are_refused(tmp_path):
    file = tmp_path / "x.jsonl"
    for text, told in [
        ('{"a": 1}\n' + "[" * 100_000, "x.jsonl:2: damaged"),
        ('{"a": 1}\n[]\n', "x.jsonl:2: damaged: expected a JSON object, found list"),
        ('{"a": 1, "a": 2}\n', "a key occurs twice"),
        ('{"a": "' + "x" * MEBIBYTE, "x.jsonl:1: longer than"),
    ]:
        file.write_text(text)
        refused(lambda: list(read_lines(file)), told)
    with file.open("wb") as stream:
        stream.truncate(1 << 40)  # a hole: no line end in it
    refused(lambda: list(read_lines(file)), "x.jsonl:1: longer than")
    file.write_text('{"a": 1}\n{"a": 2}')
    assert [line["a"] for line in read_lines(file)] == [1, 2]


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "loop.json").symlink_to("loop.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "device.json").symlink_to("/dev/zero")
    for name in ("pipe", "loop", "folder", "device"):
        for reader in (read_json, lambda path: next(read_lines(path)), read_config, read_tensors):
            with pytest.raises(UserError, match=f"{name}.json: cannot be read"):
                reader(tmp_path / f"{name}.json")


def test_a_header_that_claims_what_the_file_does_not_hold_is_refused(tmp_path):
    file = tmp_path / "x.safetensors"

    def write(header, data=b"", length=None):
        raw = json.dumps(header).encode() if isinstance(header, dict) else header
        file.write_bytes(struct.pack("<Q", len(raw) if length is None else length) + raw + data)

    def entry(shape, start, end, dtype="F32"):
        return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}

    headers = [
        {"a": entry([1 << 40], 0, 1 << 42)},
        {"a": entry([1 << 32, 1 << 32], 0, 4)},
        {"a": entry([0, 1 << 63], 0, 0)},
        {"a": entry([1], 0, 4), "b": entry([1], 0, 4)},
        {"a": entry([1], 4, 8)},
        {"a": entry([1], -4, 0)},
        {"a": entry([2], 0, 4)},
        {"a": entry([1], 4, 0)},
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ]
    for header in headers:
        write(header, b"\0" * 4)
        refused(lambda: read_tensors(file), "not a valid safetensors file")
    for length in (1 << 62, (1 << 64) - 1, 100 * MEBIBYTE):
        write({}, length=length)
        refused(lambda: read_tensors(file), "not a valid safetensors file: a header of")
    many = ",".join(
        f'"{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for i in range(99999)
    )
    write(f"{{{many}}}".encode())
    refused(lambda: read_tensors(file), "a header of")


def test_sizes_that_the_weights_do_not_have_are_refused_before_memory_is_taken(finished, tmp_path):
    folder = copy_model(finished, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    huge = {"vocab_size": 10_000_000, "hidden_size": 65_536, "intermediate_size": 1_048_576}
    (folder / "config.json").write_text(json.dumps(config | huge))
    refused(lambda: load_network(folder), "weights do not fit config.json")
    (folder / "config.json").write_text(json.dumps(config))
    meta = json.loads((folder / "mtbert.json").read_text("utf-8"))
    meta["tasks"]["sst"]["labels"] = [str(i) for i in range(300_000)]
    (folder / "mtbert.json").write_text(json.dumps(meta))
    refused(lambda: load_network(folder), "sst.linear.weight: shape [2, 16]", 300)


def test_an_old_file_that_unfolds_to_more_than_it_holds_is_refused(tmp_path):
    file = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.zeros(1).expand(1 << 40)}, file)
    refused(lambda: convert_legacy(file, tmp_path / "out"), "far larger than the file")
    torch.save({"a": torch.zeros(64 * MEBIBYTE // 4)}, tmp_path / "plain.bin")
    with (
        zipfile.ZipFile(tmp_path / "plain.bin") as plain,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for part in plain.infolist():
            packed.writestr(part.filename, plain.read(part))
    refused(lambda: convert_legacy(file, tmp_path / "out"), "its parts are larger than the file")
    torch.save({"a": torch.eye(3).to_sparse()}, file)
    refused(lambda: convert_legacy(file, tmp_path / "out"), "refused")
    assert not (tmp_path / "out").exists()


TOKENIZERS = {
    "regular expression": (
        {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "invert": False}},
        "pre_tokenizer 'Split' is not one of BERT's",
    ),
    "doubling": (
        {
            "normalizer": {
                "type": "Sequence",
                "normalizers": [{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}]
                * 40,
            }
        },
        "normalizer 'Replace' is not one of BERT's",
    ),
    "abort": (
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
        "normalizer 'Precompiled' is not one of BERT's",
    ),
    "long words": ({"model": {"max_input_chars_per_word": 10**6}}, "expected at most 200"),
    "large ids": ({"model": {"vocab": {"[UNK]": 2**32 - 1}}}, "a token's id is not one of 0 to"),
    "other model": ({"model": {"type": "BPE"}}, "the model is not WordPiece"),
    "no unknown word": ({"model": {"unk_token": "none"}}, "the token of unknown words is not in"),
    "added": ({"added_tokens": [{"id": 0, "content": ""}]}, "added token"),
    "template": (
        {
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [{"Sequence": {"id": "A", "type_id": 0}}] * 1000,
                "pair": [],
                "special_tokens": {},
            }
        },
        "a template of 1000 pieces",
    ),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_tokenizer_that_is_none_of_berts_is_refused(finished, tmp_path, name):
    changes, told = TOKENIZERS[name]
    content = json.loads((finished / "model" / "tokenizer.json").read_text("utf-8"))
    for part, change in changes.items():
        content[part] = content["model"] | change if part == "model" else change
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    refused(lambda: Tokenizer.from_folder(tmp_path), told)


def test_ids_beyond_the_encoder_are_refused_though_there_are_few(finished, tmp_path):
    folder = copy_model(finished, tmp_path / "model")
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    del content["model"]["vocab"]["film"]
    content["model"]["vocab"]["film"] = 5000
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="the tokenizer has 5001 tokens, but the encoder"):
        MultitaskModel.from_pretrained(folder)


@pytest.mark.parametrize(
    "character", ["a", " ", "\0", "中", "😀", "\u0301", "\u202e", "ﷺ", "\ud800"]
)
def test_a_megabyte_of_one_character_has_an_answer(finished, character):
    model = MultitaskModel.from_pretrained(finished)
    text = character * (MEBIBYTE // len(character.encode("utf-8", "replace")))
    first, second = (model.predict("sst", [text])[0] for _ in range(2))
    assert np.isfinite(first.score)
    assert first == second


def test_predictions_hold_a_bounded_text_in_memory():
    examples = (Example(str(i), ("x" * MEBIBYTE,), None, i) for i in range(5))
    assert [len(chunk) for chunk in predict._chunks(examples)] == [1] * 5
    short = (Example(str(i), ("x",), None, i) for i in range(2500))
    assert [len(chunk) for chunk in predict._chunks(short)] == [1024, 1024, 452]


def test_an_answer_that_is_no_number_is_refused(finished, tmp_path):
    model = MultitaskModel.from_pretrained(finished)
    weight = model.network.heads["sts"].linear.weight
    with torch.no_grad():
        weight.fill_(3e38)
        weight[:, 0] = -3e38
    model.network.heads["sts"].linear.bias.data.fill_(float("inf"))
    with pytest.raises(UserError, match="task sts: the answer for the row in line 0 is"):
        model.predict("sts", [("a film", "a plot")])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(finished, tmp_path, value):
    from safetensors.torch import load_file

    folder = copy_model(finished, tmp_path / "model")
    for name in ("heads.safetensors", "model.safetensors"):
        kept = (folder / name).read_bytes()
        tensors = load_file(folder / name)
        next(iter(tensors.values())).view(-1)[0] = value
        save_file(tensors, folder / name)
        with pytest.raises(UserError, match="holds NaN or infinity"):
            load_network(folder)
        (folder / name).write_bytes(kept)
