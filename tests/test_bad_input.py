"""Whatever is wrong with the input: exit code 2, one message that says where, nothing written.

Broken encoder and run folders stand in test_bad_folders.py.
"""

import pytest

from mtbert.cli import main

CONFIGS = {
    "sead": ({"sead": 1}, "sead: unknown key; did you mean 'seed'?"),
    "epochs=0": ({"training": {"epochs": 0}}, "training.epochs: "),
    "epochs=many": ({"training": {"epochs": "many"}}, "training.epochs: "),
    "nan rate": ({"training": {"learning_rate": ".nan"}}, "training.learning_rate: "),
    "batching": ({"training": {"batching": "method4"}}, "training.batching: "),
    "epoch": ({"training": {"epoch": 3}}, "did you mean 'epochs'?"),
    "select": ({"training": {"select": "sst.pearson"}}, "training.select: found 'sst.pearson'"),
    "frozen surgery": (
        {"training": {"surgery": "pcgrad"}, "encoder": {"mode": "frozen"}},
        "training.surgery: with `encoder.mode: frozen`",
    ),
    "no task": ({"tasks": {}}, "tasks: "),
    "no kind": ({"tasks": {"a": {"train": "x", "dev": "y"}}}, "tasks.a.kind: missing"),
    "falling range": (
        {"tasks": {"a": {"kind": "regression", "train": "x", "dev": "y", "range": [5, 0]}}},
        "tasks.a: `range` must rise",
    ),
    "no dev": ({"tasks": {"a": {"kind": "regression", "train": "x"}}}, "no task has a `dev` file"),
    "device": ({"device": "toaster"}, "device: 'toaster' cannot be used here"),
    "long": ({"encoder": {"max_length": 33}}, "encoder.max_length: found 33"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_wrong_setting_is_refused(toy, tmp_path, refuse, name):
    changes, told = CONFIGS[name]
    refuse(told, "train", toy.config(tmp_path / "c.yaml", **changes), "--output", "out")


TEXTS = {
    "empty": ("", "c.yaml: expected `key: value` lines, found NoneType"),
    "list": ("- a\n- b\n", "found list"),
    "torn": ("tasks: [", "c.yaml: not valid YAML"),
    "twice": ("seed: 1\nseed: 2\n", "c.yaml: not valid YAML"),
    "alias": ("a: &x 1\nb: *x\n", "c.yaml:2: aliases"),
    "tag": ("a: !!python/object:os.system ls\n", "c.yaml: not valid YAML"),
    "deep": ("a: " + "[" * 99 + "]" * 99, "c.yaml:1: nested too deeply"),
    "latin": (b"a: \xe9\n", "c.yaml: not UTF-8 at byte 3"),
    "large": (b"#" * (1 << 18) + b"\n", "c.yaml: 262145 bytes, expected at most 262144"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, refuse, name):
    content, told = TEXTS[name]
    (tmp_path / "c.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    refuse(told, "train", "c.yaml", "--output", "out")


HEAD = "id,sentence,label\n"
DATA = {
    "empty": ("", "rows.csv: empty file"),
    "header": (HEAD, "rows.csv: no usable row"),
    "blank header": ("\na,b,good\n", "rows.csv:1: no column names"),
    "no label": ("id,sentence\na,b\n", "rows.csv:1: no column 'label', found 'id', 'sentence'"),
    "twice": ("id,label,sentence,label\na,good,b,good\n", "rows.csv:1: column 'label' occurs"),
    "short": (HEAD + "a,film,good\nb\n", "rows.csv:3: found 1 columns, expected 3"),
    "long": (HEAD + "a,one, two,good\n", "rows.csv:2: found 4 columns, expected 3"),
    "blank label": (HEAD + "a,film,\n", "rows.csv:2: blank label, expected one of bad, good"),
    "label": (HEAD + "a,film,great\n", "rows.csv:2: column 'label': label 'great'"),
    "number": (HEAD + "a,film,2\n", "rows.csv:2: column 'label': label '2'"),
    "text": (HEAD + "a,  ,good\n", "rows.csv:2: empty text in column 'sentence'"),
    "id": (HEAD + "a,x,good\na,y,bad\n", "rows.csv:3: id 'a' is also in line 2"),
    "open quote": (
        HEAD + 'a,"x, y",good\nb,"x,bad\nc,z,good\n',
        "rows.csv:2: found 4 columns, expected 3",
    ),
    "latin": (HEAD.encode() + b"a,caf\xe9,good\n", "rows.csv:2: not UTF-8"),
    "utf-16": ((HEAD + "a,x,good\n").encode("utf-16"), "rows.csv: is UTF-16; save it"),
    "zip": (b"PK\x03\x04\xff\xfe\x00\x00" * 20, "rows.csv: is an Excel file or a zip"),
    "json": ('{"sentence": "x", "label": "good"}\n{"sentence"\n', "rows.csv:2: not a JSON object"),
    "json list": ('{"sentence": "x", "label": 1}\n[1]\n', "rows.csv:2: found a JSON list"),
    "json column": ('{"sentence": "x"}\n', "rows.csv:1: no column 'label'"),
    "json nan": ('{"sentence": "x", "label": NaN}\n', "rows.csv:1: blank label, expected one of"),
}


@pytest.mark.parametrize("split", ["train", "dev"])
@pytest.mark.parametrize("name", DATA)
def test_a_bad_data_file_is_refused(toy, tmp_path, refuse, name, split):
    content, told = DATA[name]
    (tmp_path / "rows.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    config = toy.config(tmp_path / "c.yaml", "sst")
    refuse(told, "train", config, f"tasks.sst.{split}=rows.csv", "--output", "out")


@pytest.mark.parametrize("label", ["5.5", "-1", "nan", "inf", "much"])
def test_a_value_out_of_its_range_is_refused(toy, tmp_path, refuse, label):
    (tmp_path / "rows.csv").write_text(f"sentence1,sentence2,label\na,b,{label}\n")
    told = f"rows.csv:2: column 'label': label '{label}', expected a number from 0 to 5"
    config = toy.config(tmp_path / "c.yaml", "sts")
    refuse(told, "train", config, "tasks.sts.train=rows.csv", "--output", "out")


COMMANDS = {
    "config": (("train", "sst-singel"), "did you mean 'sst-single'?"),
    "override": (("train", "CONFIG", "seed"), "override 'seed': expected KEY=VALUE"),
    "section": (("train", "CONFIG", "seed.x=1"), "c.yaml: seed: input should be"),
    "key": (("train", "CONFIG", "training.epoch=1"), "training.epoch: unknown key"),
    "missing file": (("train", "CONFIG", "tasks.sst.train=no.csv"), "no.csv: no such file"),
    "folder for file": (("train", "CONFIG", "tasks.sst.dev=folder"), "folder: cannot be read"),
    "no encoder": (("train", "CONFIG", "encoder.path=./nowhere"), "no folder './nowhere'"),
    "hub": (("train", "CONFIG", "encoder.path=nobody/nothing"), "'nobody/nothing' is not a folder"),
    "output file": (("train", "CONFIG", "--output", "file"), "file: is a file"),
    "below a file": (("train", "CONFIG", "--output", "file/run"), "file/run: cannot be written"),
    "output run": (("train", "CONFIG", "--output", "RUN"), "holds a run already"),
    "no run": (("evaluate", "folder"), "folder: not a run folder"),
    "no test": (("evaluate", "RUN", "--split", "test"), "sst-test.csv:1: no column 'label'"),
    "task": (("predict", "RUN", "--task", "film", "file"), "--task: found 'film'"),
    "input": (("predict", "RUN", "--task", "sst", "no.csv"), "no.csv: no such file"),
    "predict output": (
        ("predict", "RUN", "--task", "sst", "rows.csv", "--output", "file/out"),
        "file/out: cannot be written",
    ),
    "no data": (("leaderboard", "RUN", "--data", "folder", "--output", "out"), "no such file"),
    "report": (("report", "folder"), "folder: no finished run below it"),
    "check": (("data", "check", "no.csv"), "no.csv: no such file"),
    "convert": (("convert", "no.bin"), "no.bin: no such file"),
    "convert text": (("convert", "file"), "file: refused: not a file of tensors"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_arguments_are_refused(toy, finished, tmp_path, refuse, name):
    arguments, told = COMMANDS[name]
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("a file")
    (tmp_path / "rows.csv").write_text("id,sentence\na,film\n")
    places = {"CONFIG": toy.config(tmp_path / "c.yaml", "sst"), "RUN": finished}
    refuse(told, *(places.get(argument, argument) for argument in arguments))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "required: COMMAND"),
        (["evaluate", "RUN", "--split", "best"], "argument --split: invalid choice: 'best'"),
    ],
)
def test_arguments_that_are_no_command_are_refused_with_the_usage(capsys, arguments, told):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("usage: mtbert")
    assert told in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["dance"], "no command 'dance'; commands: train, "),
        (["report", "a", "b"], "report: more arguments than expected: 'b'"),
        (["train", "c.yaml", "--ouput", "x"], "no option --ouput; did you mean --output?"),
        (["predict", "a", "b", "c"], "predict: more arguments than expected: 'c'"),
    ],
)
def test_words_that_have_no_place_are_refused_in_one_line(refuse, arguments, told):
    refuse(told, *arguments)
