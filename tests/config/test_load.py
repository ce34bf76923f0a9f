import os
import re
import time
from pathlib import Path

import pytest

from mtbert.config.load import data_file, load_config, parse_settings, shipped_configs
from mtbert.config.yaml import dump_yaml
from mtbert.errors import UserError

SMALL = """\
seed: 3
tasks:
  film: {kind: classification, labels: [bad, good], train: a.csv, dev: b.csv}
  pair: {kind: pair_regression, train: c.csv, dev: d.csv}
"""


@pytest.fixture(autouse=True)
def no_data_folder_from_outside(monkeypatch):
    monkeypatch.delenv("MTBERT_DATA", raising=False)


@pytest.fixture
def load(tmp_path):
    """Load a text (or bytes) as configuration file."""

    def load_text(content, *overrides):
        file = tmp_path / "run.yaml"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_config(str(file), overrides)

    return load_text


@pytest.fixture
def refuse(load):
    """The message with which a configuration is refused."""

    def message(content, *overrides):
        with pytest.raises(UserError) as error:
            load(content, *overrides)
        return str(error.value)

    return message


def test_a_file_is_read(load):
    settings = load(SMALL)
    assert settings.seed == 3
    assert list(settings.tasks) == ["film", "pair"]
    assert settings.tasks["film"].labels == ("bad", "good")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("traning: {epochs: 3}", "traning: unknown key; did you mean 'training'?"),
        ("training: {epoch: 3}", "training.epoch: unknown key; did you mean 'epochs'?"),
        ("training: {learningrate: 1}", "did you mean 'learning_rate'?"),
        ("encoder: {pth: x}", "encoder.pth: unknown key; did you mean 'path'?"),
        ("data: {zzzz: x}", "data.zzzz: unknown key; known: cache, dir"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(refuse, line, expected):
    assert expected in refuse(SMALL + line)


@pytest.mark.parametrize("task", ["x", "columns", "train"])
def test_an_unknown_key_of_a_task_is_explained_whatever_the_task_is_called(refuse, task):
    text = f"tasks: {{{task}: {{kind: regression, train: a, dev: b, loss_wieght: 2}}}}"
    expected = f"tasks.{task}.loss_wieght: unknown key; did you mean 'loss_weight'?"
    assert expected in refuse(text)


def test_an_unknown_column_role_is_explained(refuse):
    text = "tasks: {x: {kind: regression, train: a, dev: b, columns: {lable: y}}}"
    assert "tasks.x.columns.lable: unknown key; did you mean 'label'?" in refuse(text)


def test_all_problems_are_reported_at_once(refuse):
    message = refuse(
        """\
sead: 1
tasks:
  film: {kind: classification, train: a, dev: b}
  pair: {kind: pair_regression, train: c, dev: d, range: [5, 0], batch_size: none}
  other: {kind: pair_regression, train: c, dev: d, range: [5, 0]}
training: {epochs: 0, batching: method4, surgery: yes}
"""
    )
    assert message.splitlines()[0].endswith("run.yaml: 7 problems")
    for part in (
        "sead: unknown key; did you mean 'seed'?",
        "tasks.film: `labels` must name the classes",
        "tasks.pair.batch_size: ",
        "tasks.other: `range` must rise",
        "training.epochs: ",
        "training.batching: ",
        "training.surgery: ",
    ):
        assert part in message
    assert "found 'method4'" in message
    assert "'method1', 'method2', 'method3' or 'continued'" in message


def test_of_many_problems_ten_are_listed_and_counted(refuse):
    message = refuse(SMALL + "".join(f"zz{i}: 1\n" for i in range(25)))
    assert "25 problems" in message
    assert "and 15 more" in message
    assert len(message.splitlines()) == 12


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("seed=7", lambda s: s.seed == 7),
        ("training.learning_rate=2e-5", lambda s: s.training.learning_rate == 0.00002),
        ("training.warmup=.1", lambda s: s.training.warmup == 0.1),
        ("training.group_by_length=true", lambda s: s.training.group_by_length is True),
        ("tasks.film.labels=[no, yes]", lambda s: s.tasks["film"].labels == ("no", "yes")),
        ("tasks.film.columns.label=no", lambda s: s.tasks["film"].columns.label == "no"),
        ("tasks.film.columns.text=a=b", lambda s: s.tasks["film"].columns.text == "a=b"),
        ("tasks.pair.range=[0, 5]", lambda s: s.tasks["pair"].range == (0.0, 5.0)),
        ("training.clip=", lambda s: s.training.clip is None),
        ("training.clip=null", lambda s: s.training.clip is None),
        ("tasks.film.dev={a: 1.csv, b: 2.csv}", lambda s: len(s.tasks["film"].dev_files) == 2),
    ],
)
def test_an_override_is_typed_as_yaml_1_2(load, override, read):
    assert read(load(SMALL, override))


def test_later_overrides_win_and_can_add_a_section(load):
    assert load(SMALL, "training.epochs=3", "training.epochs=5").training.epochs == 5


@pytest.mark.parametrize("override", ["seed", "=1", "training.=1", ".seed=1", ""])
def test_an_override_without_key_and_value_is_refused(refuse, override):
    assert "expected KEY=VALUE" in refuse(SMALL, override)


def test_an_override_below_a_plain_value_is_refused(refuse):
    assert "'seed' holds a value, not a section" in refuse(SMALL, "seed.x=1")


def test_an_unknown_override_is_refused_with_the_nearest_key(refuse):
    assert "did you mean 'epochs'" in refuse(SMALL, "training.epoch=3")


@pytest.mark.parametrize(
    "value",
    [
        "[" * 5000,
        "!!bool maybe",
        "!!int ''",
        "2020-13-45",
        "\0",
        "*a",
        "{",
        "&a [*a]",
        "%",
        "9" * 5000,
    ],
    ids=range(10),
)
def test_an_override_that_makes_no_sense_is_a_user_error(refuse, value):
    assert "seed" in refuse(SMALL, f"seed={value}")


@pytest.mark.parametrize("name", ["x" * 256, "x/" * 2049, '"x\\0"'])
def test_a_name_that_no_file_can_have_is_refused(load, name):
    with pytest.raises(UserError, match="train: not a name that a file can have"):
        load(SMALL, f"tasks.film.train={name}")


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


def test_a_name_that_is_neither_file_nor_shipped_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="neither a file nor a shipped name"):
        load_config("no-such-thing")


def test_a_folder_is_no_configuration(tmp_path):
    with pytest.raises(UserError, match="neither a file nor a shipped name"):
        load_config(str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_an_unreadable_file_is_a_user_error(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(SMALL)
    file.chmod(0)
    with pytest.raises(UserError, match="cannot be read"):
        load_config(str(file))


def test_files_are_found_beside_the_configuration_by_default(load, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert data_file(load(SMALL), "a.csv") == tmp_path / "a.csv"


def test_the_environment_names_the_data_folder(load, monkeypatch):
    monkeypatch.setenv("MTBERT_DATA", "/some/where")
    assert data_file(load(SMALL), "a.csv") == Path("/some/where/a.csv")


def test_the_configured_folder_wins_and_starts_from_the_configuration(load, tmp_path, monkeypatch):
    monkeypatch.setenv("MTBERT_DATA", "/some/where")
    settings = load(SMALL + "data: {dir: ../corpora}")
    assert data_file(settings, "a.csv") == (tmp_path.parent / "corpora" / "a.csv")
    assert data_file(settings, "/abs/a.csv") == Path("/abs/a.csv")


def test_names_on_the_command_line_start_from_the_working_folder(load, tmp_path, monkeypatch):
    work = tmp_path / "work"
    (work / "folder").mkdir(parents=True)
    (work / "mine.csv").write_text("x")
    monkeypatch.chdir(work)
    settings = load(SMALL, "tasks.film.train=mine.csv", "encoder.path=folder")
    assert settings.tasks["film"].train == str(work / "mine.csv")
    assert settings.encoder.path == str(work / "folder")
    assert data_file(settings, settings.tasks["film"].train) == work / "mine.csv"
    assert data_file(settings, settings.tasks["film"].dev) == tmp_path / "b.csv"
    moved = load(SMALL, "data.dir=folder")
    assert data_file(moved, "a.csv") == work / "folder" / "a.csv"


def test_without_any_folder_a_relative_name_is_refused_with_advice():
    tree = {"tasks": {"a": {"kind": "regression", "train": "a.csv", "dev": "b.csv"}}}
    settings = parse_settings(tree, "here")
    with pytest.raises(UserError, match=r"MTBERT_DATA.*data\.dir="):
        data_file(settings, "a.csv")


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_every_shipped_configuration_loads_by_name_and_by_file(name):
    settings = load_config(name)
    assert settings.tasks
    if settings.data.dir == "packaged":
        for task in settings.tasks.values():
            for file in (task.train, *task.dev_files.values()):
                assert file is None or data_file(settings, file).is_file()
    again = parse_settings(settings.model_dump(), name)
    assert again == settings


def test_the_promised_configurations_are_shipped():
    promised = {"demo", "sst-single", "cfimdb-single", "paraphrase-single", "sts-single"}
    promised |= {"multitask", "paper-multitask"}
    assert promised <= set(shipped_configs())


def test_written_yaml_is_readable_block_style(load):
    text = dump_yaml(load(SMALL))
    assert re.search(r"^seed: 3$", text, re.MULTILINE)
    assert text.index("seed") < text.index("tasks") < text.index("training")
