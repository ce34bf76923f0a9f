import re
import time

import pytest
from support.configurations import SMALL

from mtbert.config.yaml import dump_yaml
from mtbert.errors import UserError


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("seed: 1\n" + SMALL, "duplicate key"),
        ("tasks: {a: {kind: regression, kind: regression}}", "duplicate key"),
        ("", "expected `key: value` lines"),
        ("# nothing\n", "expected `key: value` lines"),
        ("- a\n- b\n", "found list"),
        ("just text", "found str"),
        ("a: {", "not valid YAML"),
        ("a: b: c", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
        ("a: !!python/object:os.system x", "not valid YAML"),
        ("a\0b: 1", "not valid YAML"),
        ("base: &b {x: 1}\nother: *b\n", ":2: aliases (*name) are not allowed"),
        ("x: " + "[" * 40 + "]" * 40, ":1: nested too deeply"),
        ("[" * 200_000, "nested too deeply"),
        ("x:\n  - " + "- " * 5000 + "a", "nested too deeply"),
        ("1: 2", "keys should be strings"),
        ("[1]: 2", "run.yaml"),
        (b"a: \xff", "not UTF-8 at byte 3"),
        (SMALL.encode("utf-16"), "not UTF-8"),
        ("seed: !!bool maybe", "not valid YAML"),
        ("seed: !!int ''", "not valid YAML"),
        ("seed: !!float x", "not valid YAML"),
        ("seed: 2020-13-45", "not valid YAML"),
        ("seed: 2020-01-01", "seed: "),
        (f"seed: {'9' * 5000}", "not valid YAML"),
    ],
    ids=range(25),
)
def test_a_broken_file_is_a_user_error_that_names_it(refuse, content, expected):
    message = refuse(content)
    assert "run.yaml" in message
    assert expected in message
    assert len(message) < 2000


def test_yaml_1_1_words_are_text_and_dates_are_no_numbers(load):
    settings = load(SMALL.replace("[bad, good]", "[no, off]"))
    assert settings.tasks["film"].labels == ("no", "off")


def test_a_byte_order_mark_and_windows_line_ends_are_read(load):
    content = b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode()
    assert load(content).seed == 3


def test_a_billion_laughs_are_refused_at_once(refuse):
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    start = time.perf_counter()
    message = refuse("\n".join(lines))
    assert time.perf_counter() - start < 1
    assert "aliases" in message


def test_a_file_over_256_kibibytes_is_refused_and_one_below_is_read(load, refuse):
    limit = 1 << 18
    assert str(limit) in refuse(SMALL + "#" * limit)
    assert load(SMALL + "#" * (limit - len(SMALL))).seed == 3


@pytest.mark.parametrize("labels", [9900, "long"])
def test_settings_that_could_not_be_read_back_are_not_written(load, labels):
    names = ["😀" * 27_000, "b"] if labels == "long" else [f"c{i}" for i in range(labels)]
    settings = load(SMALL.replace("[bad, good]", f"[{', '.join(names)}]"))
    with pytest.raises(UserError, match="the configuration, written out"):
        dump_yaml(settings)


def test_text_that_utf8_cannot_hold_is_refused(refuse):
    """Else writing the run's config.yaml would fail later."""
    escaped = '["\\ud800", good]'
    assert "run.yaml" in refuse(SMALL.replace("[bad, good]", escaped))


def test_written_yaml_is_readable_block_style(load):
    text = dump_yaml(load(SMALL))
    assert re.search(r"^seed: 3$", text, re.MULTILINE)
    assert text.index("seed") < text.index("tasks") < text.index("training")
