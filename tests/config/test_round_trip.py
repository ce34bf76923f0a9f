"""dump_yaml → load_config gives equal settings; random files never crash."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mtbert.config.fields import DEV_SET_NAME
from mtbert.config.load import load_config
from mtbert.config.settings import Settings
from mtbert.config.tasks import predictions_name
from mtbert.config.yaml import dump_yaml
from mtbert.errors import UserError

# without shrinking: a failure is told in seconds
quick = settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)

TRICKY = ["no", "null", "~", "1", "1.0", "1e5", ".inf", "true", "a: b", "# x", "- a", "<<", "=", ""]
words = st.one_of(
    st.sampled_from(TRICKY),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
files = st.builds("/data/{}".format, words.filter(lambda word: "\0" not in word))
dev_sets = st.one_of(
    st.sampled_from([word for word in TRICKY if re.fullmatch(DEV_SET_NAME, word)]),
    st.from_regex(DEV_SET_NAME, fullmatch=True),
)
positive = st.floats(1e-12, 1e12, allow_subnormal=False)


def some(**values):
    """A mapping in which every key may be missing."""
    return st.fixed_dictionaries({}, optional=values)


classes = st.builds(
    lambda labels, extra: {"kind": "classification", "labels": labels, **extra},
    st.lists(words, min_size=2, max_size=5, unique=True),
    some(class_weights=st.just("balanced"), head=st.sampled_from(["cls", "pooled", "mean"])),
)
pairs = st.builds(
    lambda low, width, extra: {"kind": "pair_regression", "range": [low, low + width], **extra},
    st.integers(-5, 5),
    st.floats(0.1, 9),
    some(
        pair_encoding=st.sampled_from(["jointly", "both_orders", "separately"]),
        loss_weight=positive,
    ),
)
tasks = st.builds(
    lambda task, extra: {"train": "/data/t.csv", "dev": "/data/d.csv", **task, **extra},
    st.one_of(classes, pairs),
    some(
        train=files,
        dev=st.one_of(files, st.dictionaries(dev_sets, files, min_size=1, max_size=3)),
        test=files,
        columns=some(id=words, label=words, text=words),
        dropout=st.floats(0, 0.99),
        batch_size=st.integers(1, 1000),
        on_bad_rows=st.sampled_from(["error", "skip"]),
    ),
)
runs = st.builds(
    lambda tasks, rest: {"tasks": tasks, "data": {"dir": "/data"}, **rest},
    st.dictionaries(
        st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,9}", fullmatch=True), tasks, min_size=1
    ),
    some(
        seed=st.integers(0, 2**31 - 1),
        threads=st.one_of(st.just("auto"), st.integers(1, 64)),
        encoder=some(
            # one that is there beside the file, as `.` is, would be resolved
            path=words.filter(lambda word: "\0" not in word and word.strip("./")),
            revision=words,
            max_length=st.integers(4, 4096),
        ),
        training=some(
            epochs=st.integers(1, 100),
            learning_rate=positive,
            warmup=st.floats(0, 0.99),
            clip=positive,
            batching=st.sampled_from(["method1", "method2", "method3", "continued"]),
            patience=st.integers(1, 9),
        ),
    ),
)


def files_apart(tree):
    """Whether every dev set has a file of predictions of its own."""
    names = [
        predictions_name(task, name, selects=position == 0).lower()
        for task, fields in tree["tasks"].items()
        for position, name in enumerate(fields["dev"] if isinstance(fields["dev"], dict) else [""])
    ]
    return len(set(names)) == len(names)


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("config") / "run.yaml"


@pytest.mark.parametrize(
    "text", [*TRICKY, *"\x85\u2028\u2029\ufeff\x00\x07\x7f\r\n\t\u00e9\U0001f600"]
)
def test_an_awkward_text_reads_back_equal(file, text):
    for name in (text, f"a {text} b", f"/data/{text}", f"{90 * 'x'} {text} y"):
        task = {"kind": "classification", "labels": [name, "other"], "train": "t", "dev": "d"}
        before = Settings.model_validate({"data": {"dir": "/data"}, "tasks": {"a": task}})
        file.write_text(dump_yaml(before), encoding="utf-8", newline="")
        assert load_config(str(file)) == before


@quick
@given(tree=runs.filter(files_apart))
def test_written_settings_read_back_equal(file, tree):
    before = Settings.model_validate(tree)
    file.write_text(dump_yaml(before), encoding="utf-8", newline="")
    assert load_config(str(file)) == before


YAML_PIECES = [
    "a: ",
    "seed: ",
    "tasks: ",
    "!!bool ",
    "!!int ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "- ",
]
YAML_PIECES += [
    "\n",
    "  ",
    "'",
    '"',
    "|",
    ">",
    "? ",
    "!!set ",
    "!!timestamp ",
    "0x",
    "%",
    "---",
    "<<: ",
]


@quick
@given(pieces=st.lists(st.one_of(st.sampled_from(YAML_PIECES), st.text(max_size=3)), max_size=15))
def test_a_file_of_random_yaml_pieces_is_refused_as_user_error(file, pieces):
    file.write_bytes("".join(pieces).encode("utf-8", "surrogatepass"))
    with pytest.raises(UserError):
        load_config(str(file))


@quick
@given(content=st.binary(max_size=60))
def test_a_file_of_random_bytes_is_refused_as_user_error(file, content):
    file.write_bytes(content)
    with pytest.raises(UserError):
        load_config(str(file))
