"""The rules of the house, checked on the sources: who imports whom, who touches files, ..."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import mtbert
from mtbert.config.sharing import SHARINGS
from mtbert.methods.aggregation.table import AGGREGATORS
from mtbert.methods.sampling.table import SAMPLERS
from mtbert.methods.weighting.table import WEIGHTINGS
from mtbert.objectives.table import OBJECTIVES

METHODS = (*SAMPLERS, *WEIGHTINGS, *AGGREGATORS)
LONG = 40
"""Lines above which a source file has a test file of its name."""
PACKAGE = Path(mtbert.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in MODULES.items()}

LAYERS = [
    {"errors", "version", "batch", "console", "methods"},
    {"surgery", "io", "distributed"},
    {"config"},
    {"data", "objectives", "hardware"},
    {"model"},
    {"runs"},
    {"inference", "studies"},
    {"export", "reports"},
    {"training", "paper"},
    {"commands", "__init__"},
    {"cli"},
    {"demo", "__main__"},
]
MAY_USE_FILES = {
    "io.atomic",
    "io.output",
    "console.streams",
    "config.load",
    "data.cache",
    "io.hashing",
    "data.readers.table",
    "model.convert_pickle",
    "model.hub",
    "model.encoders.base",
    "model.saved",
    "model.tensors",
    "io.bounded",
    "runs.checkpoint",
    "hardware.memory",
    "runs.provenance",
    "runs.folder",
    "inference.predict",
    "inference.leaderboard",
    "studies.engines.local",
    "studies.folder",
    "studies.search.active",
    "studies.search.journal",
    "hardware.machine",
    "demo",
}
READS_WITHOUT_BOUND = {
    "hardware.machine",  # the kernel's
    "runs.checkpoint",  # a run's own state
    "hardware.memory",  # the kernel's
    "runs.provenance",
    "runs.folder",
}
FILE_METHODS = {"read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "rmdir"}
FILE_FUNCTIONS = {"open", "save_file", "load_file", "safe_open"}
DANGEROUS = {"eval", "exec", "compile", "__import__"}
PICKLES = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}

each_module = pytest.mark.parametrize("module", sorted(MODULES))


def layer(module: str) -> int:
    top = module.split(".")[0]
    places = [i for i, names in enumerate(LAYERS) if top in names]
    assert places, f"{module}: in no layer; give it one in this test and in the house rules"
    return places[0]


def imports(module: str) -> Iterator[str]:
    """Full names of everything a module imports anywhere, `from a import b` as a and a.b."""
    package = ["mtbert", *module.split(".")]
    if MODULES[module].name != "__init__.py":
        package.pop()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield start
            yield from (f"{start}.{alias.name}" for alias in node.names)


def own_imports(module: str) -> set[str]:
    """Modules of ours that a module imports, without the leading `mtbert.`"""
    names = {n.removeprefix("mtbert.") for n in imports(module) if n.startswith("mtbert.")}
    return {name for name in names if name in MODULES}


def calls(module: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call with its dotted name; `…` stands for what is no plain name."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Call):
            yield dotted(node.func), node


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return "…"


def touches_files(name: str, call: ast.Call) -> bool:
    owner, _, method = name.rpartition(".")
    if name in ("shutil.get_terminal_size", "shutil.which"):
        return False
    if name.startswith("shutil.") or name in ("torch.load", "torch.save"):
        return True
    if method in FILE_FUNCTIONS:
        return True
    if not owner or owner.split(".")[-1] == "atomic":
        return False
    # str.replace takes two arguments, Path.replace one
    return method in FILE_METHODS or (method == "replace" and len(call.args) == 1)


def test_the_check_itself_sees_what_it_should():
    tree = ast.parse(
        "a.open(); open(x); p.replace(q); s.replace('a', 'b'); atomic.write_text(p, t)"
    )
    found = [touches_files(dotted(c.value.func), c.value) for c in tree.body]
    assert found == [True, True, True, False, False]
    assert {"errors", "data.readers.table", "model.encoders.bert", "surgery"} <= set(MODULES)
    assert {"data.readers.table", "errors"} <= own_imports("data.examples")


@each_module
def test_a_room_imports_rooms_of_earlier_levels_only(module):
    """Rooms of one level know nothing of each other."""
    room = module.split(".")[0]
    others = {name for name in own_imports(module) if name.split(".")[0] != room}
    assert {name for name in others if layer(name) >= layer(module)} == set()


def test_no_modules_import_each_other_in_a_circle():
    """Not even where the import stands in a function."""
    TopologicalSorter({module: own_imports(module) for module in MODULES}).prepare()


def test_the_sorter_finds_a_circle():
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"c"}, "c": {"a"}}).prepare()


@each_module
def test_the_ground_floor_knows_nothing_above_it(module):
    top = module.split(".")[0]
    tops = {name.split(".")[0] for name in own_imports(module)}
    if top in ("io", "methods"):
        assert tops <= {top, "errors"}


@each_module
def test_the_model_never_sees_data_and_surgery_no_module(module):
    top = module.split(".")[0]
    tops = {name.split(".")[0] for name in own_imports(module)}
    if top == "model":
        assert "data" not in tops
    if top == "surgery":
        assert tops <= {"methods", "errors"}


@each_module
def test_only_the_loop_steps_an_optimizer(module):
    steps = [n for n, _ in calls(module) if n.rpartition(".")[2] == "step" and "optimizer" in n]
    assert module == "training.trainer" or steps == []


def literals(module: str) -> set[str]:
    """Every string that is a value, so no docstring and no part of a longer text."""
    docstrings = {
        id(node.value)
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return {
        node.value
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
    }


def test_the_training_loop_names_no_method():
    members = (*METHODS, *SHARINGS)
    names = {str(member.model_fields["name"].default) for member in members} | set(OBJECTIVES)
    assert {"method3", "pcgrad", "fixed", "hard", "mse"} <= names
    found = {
        m: named for m in MODULES if m.startswith("training") and (named := literals(m) & names)
    }
    assert found == {}
    members = {cls.__module__.removeprefix("mtbert.") for cls in METHODS}
    training = [module for module in MODULES if module.startswith("training")]
    assert {m: found for m in training if (found := own_imports(m) & members)} == {}


@each_module
def test_only_the_named_modules_touch_files(module):
    found = [f"{c.lineno}: {name}" for name, c in calls(module) if touches_files(name, c)]
    assert module in MAY_USE_FILES or found == []


@each_module
def test_files_from_outside_are_read_by_the_bounded_readers(module):
    names = [n for n, _ in calls(module) if n.endswith((".read_text", ".read_bytes", "json.load"))]
    assert module in READS_WITHOUT_BOUND or names == []


@each_module
def test_nothing_unpickles_or_runs_text(module):
    imported = {name.split(".")[0] for name in imports(module)}
    assert imported.isdisjoint(PICKLES)
    names = [name for name, _ in calls(module)]
    assert DANGEROUS.isdisjoint(names)
    assert {"os.system", "torch.save"}.isdisjoint(names)
    assert not any(n.rpartition(".")[2] == "save" and n.startswith("torch") for n in names)


@each_module
def test_torch_load_stands_only_in_the_conversion_and_reads_weights_only(module):
    inside = {
        id(call)
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.FunctionDef) and node.name == "convert_legacy"
        for call in ast.walk(node)
    }
    for name, call in calls(module):
        if name == "torch.load":
            assert module == "model.convert_pickle"
            assert id(call) in inside
            keywords = {k.arg: ast.unparse(k.value) for k in call.keywords}
            assert keywords.get("weights_only") == "True"
    assert "torch.load" not in set(imports(module))


def executed_on_import(nodes: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when a module is imported: all but the bodies of functions."""
    for node in nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            continue
        yield node
        for part in ("body", "orelse", "handlers", "finalbody"):
            yield from executed_on_import(getattr(node, part, []))


@each_module
def test_importing_a_module_has_no_side_effect(module):
    """Nothing is called for its effect alone, and nothing of another module is assigned to."""
    for node in executed_on_import(TREES[module].body):
        effect = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        assert not effect, ast.unparse(node)
        assert not isinstance(node, (ast.For, ast.While, ast.With)), ast.unparse(node)
        targets = node.targets if isinstance(node, ast.Assign) else []
        assert all(isinstance(t, (ast.Name, ast.Tuple)) for t in targets), ast.unparse(node)


@each_module
def test_every_module_says_what_it_is_and_what_it_offers(module):
    tree = TREES[module]
    assert ast.get_docstring(tree)
    exports = [
        name
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        for name in ast.literal_eval(node.value)
    ]
    top_level = {n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    public = {name for name in top_level if not name.startswith("_")}
    assert exports or not public, f"no __all__, but {sorted(public)}"
    if exports:
        imported = importlib.import_module("mtbert" if module == "__init__" else f"mtbert.{module}")
        assert [name for name in exports if not hasattr(imported, name)] == []


@each_module
def test_a_long_source_file_has_a_test_file_of_its_name(module):
    path = MODULES[module]
    if path.name != "__init__.py" and len(path.read_text("utf-8").splitlines()) > LONG:
        place = Path(__file__).parent / path.relative_to(PACKAGE).parent
        assert (place / f"test_{path.name}").is_file()


LIGHT = ["mtbert", "mtbert.config.load", "mtbert.cli", "mtbert.studies.runner"]


@pytest.mark.parametrize("module", LIGHT)
def test_the_light_modules_do_not_import_torch(module):
    if module != "mtbert" and module.removeprefix("mtbert.") not in MODULES:
        pytest.skip(f"{module} is not written yet")
    code = (
        f"import sys, logging, {module}; "
        "heavy = {'torch', 'transformers', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules); "
        "print(sorted(heavy), logging.getLogger().handlers)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    assert run.stdout == "[] []\n"
    assert run.stderr == ""


def test_studies_reports_and_the_paper_do_without_torch():
    rooms = ("studies", "reports", "paper", "methods", "config")
    modules = [f"mtbert.{name}" for name in MODULES if name.split(".")[0] in rooms]
    code = f"import sys, {', '.join(modules)}; print('torch' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    assert run.stdout == "False\n"


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"]])
def test_help_imports_nothing_that_takes_time(arguments):
    code = (
        "import sys; from mtbert.cli import main\n"
        f"try: main({arguments})\n"
        "except SystemExit: pass\n"
        "print('heavy:', sorted({'torch', 'numpy', 'pydantic', 'ruamel', 'tokenizers', 'scipy', "
        "'sklearn', 'tqdm', 'tabulate'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    assert run.stdout.endswith("heavy: []\n")
    assert "mtbert" in run.stdout
