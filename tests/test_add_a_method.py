"""What docs/methods/ says of adding a method, done: its file, its line in the table, its YAML.

The first Python block of a page is the file and the first YAML block after it the configuration,
as they stand there. The new method trains a run, is stopped after every step and goes on exactly,
and is held to what the tests of its family ask of every member.
"""

import importlib.util
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.stops import train_in_parts
from support.toy import records, results

from mtbert import MultitaskModel
from mtbert.config.targets import LOSSES, LossRule
from mtbert.config.yaml import dump_yaml
from mtbert.errors import UserError
from mtbert.methods.aggregation import table as aggregation
from mtbert.methods.aggregation.base import GramAggregator
from mtbert.methods.sampling import table as sampling
from mtbert.methods.sampling.base import Sampler
from mtbert.methods.weighting import table as weighting
from mtbert.methods.weighting.base import LossWeighting
from mtbert.objectives.table import OBJECTIVES

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "methods"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)

FAMILIES = {
    "sampling": (sampling, "SAMPLERS", Sampler),
    "weighting": (weighting, "WEIGHTINGS", LossWeighting),
    "aggregation": (aggregation, "AGGREGATORS", GramAggregator),
}
STATES = {"sampling": None, "weighting": "weighting", "aggregation": "aggregation"}
"""Where the state of the page's method lies in the state of a run, if it keeps one."""


def section(page):
    """The part of a page that says how to add a method."""
    _, found = (PAGES / f"{page}.md").read_text("utf-8").split("\n## Add ", 1)
    return found.split("\n## ", 1)[0]


def blocks(page):
    """The file and the configuration of a page's example."""
    found = BLOCK.findall(section(page))
    (python,) = [text for language, text in found if language == "python"]
    (yaml,) = [text for language, text in found if language == "yaml"]
    return python, YAML(typ="safe", pure=True).load(yaml)


def written(file, text, monkeypatch):
    """The module that a file with this text is."""
    file.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"added_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=sorted(FAMILIES))
def family(request):
    return request.param


@pytest.fixture
def added(family, tmp_path, monkeypatch):
    """The method of the page, in a file of its own and in its family's table."""
    table, name, base = FAMILIES[family]
    python, _ = blocks(family)
    (path,) = re.findall(rf"`(\w+\.py)` in `src/mtbert/methods/{family}/`", section(family))
    module = written(tmp_path / path, python, monkeypatch)
    (method,) = [
        found
        for found in vars(module).values()
        if inspect.isclass(found) and found.__module__ == module.__name__
    ]
    assert issubclass(method, base)
    members = getattr(table, name)
    assert f"`{name} = (…, {method.__name__})`" in section(family)
    monkeypatch.setattr(table, name, (*members, method))
    return method


def training_of(family, **more):
    """The training section of the page's configuration, and what keeps a run short."""
    _, tree = blocks(family)
    assert tree.keys() == {"training"}
    return {"epochs": 2, "batch_size": 6, "gradients_every": 3, **tree["training"], **more}


def key_of(family):
    """The key of the training section that names the method."""
    (key,) = blocks(family)[1]["training"]
    return key


def test_a_method_takes_some_ten_lines(added):
    lines = inspect.getsource(added).splitlines()
    code = [line for line in lines if line.strip() and '"""' not in line]
    assert len(code) <= 20


def test_its_configuration_names_it_and_is_written_with_its_options(family, added, toy):
    settings = toy.settings(training=training_of(family))
    key = key_of(family)
    method = getattr(settings.training, key)
    assert type(method) is added
    assert method.changed_options()
    assert f"\n  {key}:\n    name: {method.name}\n" in dump_yaml(settings)
    bare = toy.settings(training={key: method.name})
    assert f"\n  {key}: {method.name}\n" in dump_yaml(bare)


def test_without_its_line_in_the_table_it_is_refused(family, toy):
    with pytest.raises(UserError, match=r"training\.\w+: input should be .*, found '\w+'"):
        toy.settings(training=training_of(family))


def test_a_run_trains_with_it(family, added, toy, tmp_path):
    plain = training_of(family)
    del plain[key_of(family)]
    toy.train(tmp_path / "plain", training=plain)
    toy.train(tmp_path / "run", training=training_of(family))
    assert (
        type(getattr(toy.settings(training=training_of(family)).training, key_of(family))) is added
    )
    assert results(tmp_path / "run")["model"] != results(tmp_path / "plain")["model"]
    state = results(tmp_path / "run")["state"]["methods"]
    assert state.keys() == ({STATES[family]} if STATES[family] else set())


def test_a_run_stopped_after_every_step_goes_on_exactly(family, added, toy, tmp_path, monkeypatch):
    changes = {"training": training_of(family)}
    steps = toy.train(tmp_path / "whole", **changes)["steps"]
    train_in_parts(
        monkeypatch, steps, lambda: toy.train(tmp_path / "parts", resume=True, **changes)
    )
    assert results(tmp_path / "parts") == results(tmp_path / "whole")
    trained = [record["step"] for record in records(tmp_path / "parts", "train")]
    assert trained == list(range(1, steps + 1))


def test_the_new_methods_are_held_to_what_the_tests_of_their_families_ask(tmp_path):
    """In a process in which each family's table has one more line."""
    lines = ["import sys", f"sys.path.insert(0, {str(tmp_path)!r})"]
    for family, (table, name, _) in FAMILIES.items():
        python, _ = blocks(family)
        (kind,) = re.findall(r"(?m)^class (\w+)", python)
        (tmp_path / f"added_{family}.py").write_text(python, encoding="utf-8")
        lines += [
            f"from added_{family} import {kind}",
            f"import {table.__name__} as {family}",
            f"{family}.{name} = (*{family}.{name}, {kind})",
        ]
    (tmp_path / "adds.py").write_text("\n".join(lines), encoding="utf-8")
    tests = ("sampling/test_epoch.py", "weighting/test_table.py", "aggregation/test_table.py")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "adds", "-p", "no:cacheprovider",
         *(str(ROOT / "tests" / "methods" / file) for file in tests)],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )  # fmt: skip
    assert run.returncode == 0, run.stdout


def test_the_documentation_of_configuration_and_methods_lists_it(family, added, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    for name in ("configuration_docs", "methods_docs"):
        monkeypatch.delitem(sys.modules, name, raising=False)  # they read the tables on import
    pages = importlib.import_module("methods_docs")
    configuration = sys.modules["configuration_docs"]
    (option,) = [key for key in added.model_fields if key != "name"]
    key, described = key_of(family), added.model_fields[option].description
    text = configuration.page()
    assert f"`{added().name}` |" in text.replace(", ", " ").split(f"`training.{key}` |")[1]
    assert f"| `training.{key}.{option}` | " in text
    assert f"| Option of `{added().name}`: {described} |" in text
    (page,) = [p for p in pages.families() if p.page == f"{family}.md"]
    shown = pages.generated(page)
    assert f"| `{added().name}` | {inspect.getdoc(added)} " in shown
    assert f"### `{added().name}`" in shown
    assert f"| `{option}` | " in shown


@pytest.fixture
def objective(tmp_path, monkeypatch):
    """The objective of the page, with its lines in both tables; its name."""
    python, _ = blocks("objectives")
    module = written(tmp_path / "absolute_error.py", python, monkeypatch)
    assert '`"absolute_error": absolute_error`' in section("objectives")
    assert '`"absolute_error": LossRule(on_classes=False)`' in section("objectives")
    monkeypatch.setitem(OBJECTIVES, "absolute_error", module)
    monkeypatch.setitem(LOSSES, "absolute_error", LossRule(on_classes=False))
    return "absolute_error"


def tasks_of(toy, **changed):
    """The toy's tasks with the changes of the page's configuration."""
    tasks = toy.tree()["tasks"]
    for name, changes in {**blocks("objectives")[1]["tasks"], **changed}.items():
        tasks[name] |= changes
    return tasks


def test_a_run_trains_with_a_new_objective(objective, toy, tmp_path):
    summary = toy.train(tmp_path / "run", tasks=tasks_of(toy), training={"epochs": 1})
    toy.train(tmp_path / "plain", training={"epochs": 1})
    assert summary["dev"]["sts"].keys() >= {"pearson", "spearman"}
    assert results(tmp_path / "run")["model"] != results(tmp_path / "plain")["model"]
    assert MultitaskModel.from_pretrained(tmp_path / "run" / "model").predict(
        "sts", [("the cat", "the dog")]
    )


def test_a_new_objective_is_refused_where_it_does_not_fit(objective, toy):
    with pytest.raises(UserError, match="`absolute_error` needs a regression; use `cross_entropy`"):
        toy.settings(tasks=tasks_of(toy, para={"loss": objective}))


def test_without_its_lines_an_objective_is_refused(toy):
    with pytest.raises(UserError, match=r"tasks.sts.loss: input should be .* found 'absolute_err"):
        toy.settings(tasks=tasks_of(toy))
