"""README and docs: what they show is run, what is generated is current."""

import re
import shlex
import subprocess
import sys
from csv import DictReader
from pathlib import Path

import pytest

from mtbert.cli import main
from mtbert.config.load import load_config
from mtbert.training.run import train

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def mtbert_commands(text: str) -> list[list[str]]:
    lines = [
        line for block in blocks("sh", text) for line in block.replace("\\\n", " ").splitlines()
    ]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("mtbert ")]


def section(title: str) -> str:
    return README.split(f"## {title}\n")[1].split("\n## ")[0]


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    overrides = ["training.epochs=1", "training.steps_per_epoch=1"]
    train(load_config("demo", overrides), folder / "runs" / "demo" / "multitask")
    return folder


def test_the_python_example_runs(demo_run, monkeypatch, capsys):
    monkeypatch.chdir(demo_run)
    (example,) = blocks("python")
    exec(compile(example, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert float(lines[2]) == pytest.approx(float(lines[2]))


def test_the_saved_encoder_opens_in_transformers(demo_run):
    transformers = pytest.importorskip("transformers")
    folder = demo_run / "runs" / "demo" / "multitask" / "model"
    _, info = transformers.AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]


def test_own_tasks_are_a_few_commands(tmp_path, monkeypatch, capsys):
    text = section("Your own tasks")
    (csv,) = blocks("csv", text)
    for name in ("reviews.csv", "new.csv"):
        (tmp_path / name).write_text(csv, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MTBERT_DATA", raising=False)
    commands = mtbert_commands(text)
    assert [command[1] for command in commands] == ["init", "train", "predict", "predict"]
    for command in commands:
        quick = ["training.epochs=1"] if command[1] == "train" else []
        assert main([*command[1:], *quick]) == 0, capsys.readouterr().err
    with (tmp_path / "answers.csv").open(encoding="utf-8", newline="") as stream:
        answers = list(DictReader(stream))
    assert [a["id"] for a in answers] == ["r1", "r2", "r3", "r4", "r5", "r6"]
    assert {a["topic"] for a in answers} <= {"product", "service"}
    assert all(1 <= float(a["stars"]) <= 5 for a in answers)


def test_the_commands_on_the_course_s_data_name_real_configurations_and_options():
    for command in mtbert_commands(section("The course's data")):
        if command[1] == "train":
            overrides = [part for part in command[3:] if "=" in part]
            assert load_config(command[2], overrides).tasks
        else:
            assert command[1] == "leaderboard"


@pytest.mark.parametrize(
    "tool",
    ["architecture_docs.py", "configuration_docs.py", "defaults_docs.py", "methods_docs.py",
     "results_docs.py"],
)  # fmt: skip
def test_generated_pages_are_current(tool):
    found = subprocess.run([sys.executable, ROOT / "tools" / tool, "--check"], check=False)
    assert found.returncode == 0, f"run python tools/{tool}"
