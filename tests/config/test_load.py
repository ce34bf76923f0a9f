import os
from pathlib import Path

import pytest
from support.configurations import SMALL

from mtbert.config.load import data_file, load_config, parse_settings, shipped_configs
from mtbert.errors import UserError


def test_a_file_is_read(load):
    settings = load(SMALL)
    assert settings.seed == 3
    assert list(settings.tasks) == ["film", "pair"]
    assert settings.tasks["film"].labels == ("bad", "good")


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


@pytest.mark.parametrize("name", ["data #2.csv", "[a].csv", "a: b.csv", "null", "{x}.csv"])
def test_the_name_of_a_file_that_is_there_is_no_yaml(load, tmp_path, monkeypatch, name):
    (tmp_path / name).write_text("x")
    monkeypatch.chdir(tmp_path)
    settings = load(SMALL, f"tasks.film.train={name}")
    assert settings.tasks["film"].train == str(tmp_path / name)


def test_a_tilde_is_the_users_folder(load, tmp_path, monkeypatch):
    (tmp_path / "home" / "encoder").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    text = SMALL + "data: {dir: ~/data}\nencoder: {path: ~/encoder}"
    settings = load(text, "tasks.film.train=~/there.csv")
    assert settings.data.folder == tmp_path / "home" / "data"
    assert settings.encoder.path == str(tmp_path / "home" / "encoder")
    assert data_file(settings, settings.tasks["film"].train) == tmp_path / "home" / "there.csv"
    (tmp_path / "home" / "run.yaml").write_text(SMALL)
    assert load_config("~/run.yaml").seed == 3


def test_an_encoder_is_looked_for_beside_the_configuration_then_here(load, tmp_path, monkeypatch):
    (tmp_path / "work" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    text = SMALL + "encoder: {path: mine}"
    assert load(text).encoder.path == str(tmp_path / "work" / "mine")
    (tmp_path / "mine").mkdir()
    assert load(text).encoder.path == str(tmp_path / "mine")
    assert load(SMALL + "encoder: {path: org/mine}").encoder.path == "org/mine"


@pytest.mark.parametrize(
    ("override", "meant"),
    [("epochs=3", "training.epochs"), ("lr=1e-4", "training.learning_rate")],
)
def test_a_key_of_another_section_is_suggested(refuse, override, meant):
    assert f"unknown key; did you mean {meant!r}?" in refuse(SMALL, override)


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
