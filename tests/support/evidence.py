"""Whether a test can prove what a page says it proves, as far as its source tells.

A test proves nothing if it is skipped wherever it runs, if it is never collected, or if nothing in
it can fail. What it asserts is for a reader to judge.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
PLATFORM = ("sys.platform", "os.name", "os.geteuid", "/proc/", "computes_bf16", "cuda")
"""A test may be skipped where the system, not the checkout, lacks something."""
CHECKS = {"raises", "warns", "deprecated_call", "gradcheck", "fail"}
"""Calls that fail where something is not so, beside those that are named assert…"""


def sources() -> dict[str, ast.Module]:
    """Every file below tests/, by its path in the repository."""
    return {
        f"tests/{path.relative_to(TESTS).as_posix()}": ast.parse(path.read_text("utf-8"))
        for path in sorted(TESTS.rglob("*.py"))
    }


def definitions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """What pytest would collect from a file: functions at its top and in its classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from (inner for inner in node.body if isinstance(inner, ast.FunctionDef))


def asserting(trees: dict[str, ast.Module]) -> set[str]:
    """Names of functions that can fail, by themselves or by one that they call."""
    seen = [
        (node.name, *checked(node))
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    ]
    found = {name for name, checks, _ in seen if checks}
    while more := {name for name, _, calls in seen if calls & found} - found:
        found |= more
    return found


def checked(function: ast.AST) -> tuple[bool, set[str]]:
    """Whether something in a function checks something, and the names of what it calls."""
    checks, calls = False, set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            checks = checks or not _is_constant(node.test)
        elif isinstance(node, ast.Call):
            calls.add(_dotted(node.func).rpartition(".")[2])
    return checks or any(n.startswith("assert") or n in CHECKS for n in calls), calls


def problems(
    test: str, trees: dict[str, ast.Module], helpers: set[str], file: str | None = None
) -> list[str]:
    """Why a test of this name proves nothing; empty if nothing is found.

    Args:
        test: its name.
        trees: `sources()`.
        helpers: `asserting(trees)`.
        file: where it is, if it is said.
    """
    places = {
        name: [node for node in definitions(tree) if node.name == test]
        for name, tree in trees.items()
        if file is None or name == file
    }
    places = {name: nodes for name, nodes in places.items() if nodes}
    if not places:
        return ["there is no such test"]
    found = [f"{name}: another of its name hides it" for name, n in places.items() if len(n) > 1]
    for name, nodes in places.items():
        if not name.rpartition("/")[2].startswith("test_"):
            found.append(f"{name} is not collected")
        marks = [m for m in map(_wrong_mark, _marks(trees[name], nodes[-1])) if m]
        found += [f"{name}: {mark}" for mark in marks]
        body = nodes[-1].body
        if any(_is_skip(statement) for statement in body):
            found.append(f"{name}: it skips itself")
        checks, calls = checked(nodes[-1])
        if not checks and not calls & helpers:
            found.append(f"{name}: nothing in it can fail")
    return found


def _marks(tree: ast.Module, function: ast.FunctionDef) -> Iterator[ast.expr]:
    """Decorators of a function, and `pytestmark` of its file."""
    yield from function.decorator_list
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            yield from node.value.elts if isinstance(node.value, ast.List) else [node.value]


def _wrong_mark(mark: ast.expr) -> str | None:
    """What is wrong with a mark, if anything."""
    call = mark if isinstance(mark, ast.Call) else None
    name = _dotted(call.func if call else mark)
    if name in ("pytest.mark.skip", "pytest.mark.xfail"):
        return f"it is marked {name}"
    if name == "pytest.mark.skipif" and call is not None:
        condition = ast.unparse(call.args[0])
        if not any(part in condition for part in PLATFORM):
            return f"it is skipped if {condition}"
    if name == "pytest.mark.parametrize" and call is not None:
        values = call.args[1]
        if isinstance(values, (ast.List, ast.Tuple)) and not values.elts:
            return "it has no cases"
    return None


def _is_skip(statement: ast.stmt) -> bool:
    is_call = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    name = _dotted(statement.value.func) if is_call else ""
    return name in ("pytest.skip", "pytest.xfail") or isinstance(statement, ast.Return)


def _is_constant(node: ast.expr) -> bool:
    return not any(isinstance(part, (ast.Name, ast.Call)) for part in ast.walk(node))


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ""
