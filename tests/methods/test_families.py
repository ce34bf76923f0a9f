"""What keeps a method one file and one line: who may import its file, and what it may import."""

import ast
import sys
from pathlib import Path

import mtbert

PACKAGE = Path(mtbert.__file__).parent
METHODS = PACKAGE / "methods"
HELPERS = {"epoch", "streams", "one_task", "adam", "softmax", "gram"}
NO_MEMBERS = {"__init__", "base", "table", *HELPERS}
MEMBERS = {
    f"mtbert.methods.{file.parent.name}.{file.stem}"
    for file in METHODS.glob("*/*.py")
    if file.stem not in NO_MEMBERS
}
FACE = "surgery.py"
"""PCGrad on tensors, for use without the rest."""


def imports(file):
    """Modules that a file imports, by their full names."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_members_are_found():
    names = {name.rpartition(".")[2] for name in MEMBERS}
    assert {"method1", "method2", "method3", "continued", "fixed", "sum", "pcgrad"} <= names


def test_only_its_table_imports_a_member():
    for file in PACKAGE.rglob("*.py"):
        name = file.relative_to(PACKAGE).as_posix()
        found = set(imports(file)) & MEMBERS
        family = f"mtbert.methods.{file.parent.name}."
        if file.name == "table.py" and file.parent.parent == METHODS:
            found = {member for member in found if not member.startswith(family)}
        assert found == set() or name == FACE, name


def test_every_member_stands_in_its_table():
    for member in MEMBERS:
        family = member.split(".")[2]
        assert member in set(imports(METHODS / family / "table.py"))


def test_methods_need_nothing_but_the_standard_library_numpy_and_pydantic():
    allowed = {*sys.stdlib_module_names, "numpy", "pydantic"}
    for file in METHODS.rglob("*.py"):
        for name in imports(file):
            top = name.split(".")[0]
            ours = top == "mtbert" and name.startswith("mtbert.methods")
            assert ours or top in allowed, f"{file.name}: {name}"
