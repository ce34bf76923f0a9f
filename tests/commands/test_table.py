"""The table of commands: what a file of a command needs, and that a line in it is all it takes."""

import argparse
import types
from pathlib import Path

import pytest

from mtbert import cli, commands
from mtbert.commands.table import COMMANDS, GROUPS

each_command = pytest.mark.parametrize("name", COMMANDS)


def test_every_file_of_a_command_is_in_the_table():
    folder = Path(commands.__file__).parent
    shared = {"__init__", "base", "go_on", "mistyped", "source", "table"}
    files = {path.stem for path in folder.glob("*.py")} - shared
    assert {module.__name__.rpartition(".")[2] for module in COMMANDS.values()} == files


@each_command
def test_a_command_says_what_it_is(name):
    command = COMMANDS[name]
    assert command.HELP
    assert "\n" not in command.HELP
    assert command.__doc__.startswith(f"`mtbert {name}`: ")
    assert {"HELP", "add_arguments", "run"} <= set(command.__all__)


@each_command
def test_every_command_has_help_with_its_arguments(name, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([*name.split(), "--help"])
    assert stop.value.code == 0
    parser = argparse.ArgumentParser()
    COMMANDS[name].add_arguments(parser)
    out = capsys.readouterr().out
    assert out.startswith(f"usage: mtbert {name} ")
    for action in parser._actions:
        for option in action.option_strings:
            assert option in out


def test_the_help_lists_every_command_and_group(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    out = " ".join(capsys.readouterr().out.split())
    for name, command in COMMANDS.items():
        if " " not in name:
            assert f" {name} {command.HELP}" in out
    for group, line in GROUPS.items():
        assert f" {group} {line}" in out
    assert set(GROUPS) == {name.partition(" ")[0] for name in COMMANDS if " " in name}


@pytest.mark.parametrize("name", ["toast", "data toast"])
def test_a_new_command_takes_a_module_and_a_line(name, monkeypatch, capsys):
    toast = types.ModuleType("toast")
    toast.HELP = "bread, made crisp"
    toast.add_arguments = lambda parser: parser.add_argument("--slices", type=int, default=2)
    toast.run = lambda options: print(f"{options.slices} slices")
    monkeypatch.setitem(COMMANDS, name, toast)
    assert cli.main([*name.split(), "--slices", "3"]) == 0
    assert capsys.readouterr().out == "3 slices\n"
    assert (
        cli.main([*name.split(), "seed=1"]) == 2
    )  # only commands that ask for overrides take them
    assert f"{name}: more arguments than expected: 'seed=1'" in capsys.readouterr().err
