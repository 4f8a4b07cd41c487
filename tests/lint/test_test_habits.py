"""Tests fail for one reason: they import what they need, expect one class of error, and measure no speed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
FILES = sorted(path for path in TESTS.rglob("*.py") if "__pycache__" not in path.parts)
CLOCKS = ("monotonic", "perf_counter", "time")


def faults(source: str) -> list[str]:
    """Return the statements in a test file that tests must not contain."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert) and any(map(_bounds_time, ast.walk(node.test))):
            found.append(f"line {node.lineno}: an upper bound on time; let what must not be waited for take an hour")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "importorskip":
                found.append(f"line {node.lineno}: importorskip; what the dev extra has is imported")
            if node.func.attr == "raises" and _is_any_exception(node.args):
                found.append(f"line {node.lineno}: raises(Exception); name the class")
    return found


def _bounds_time(node: ast.AST) -> bool:
    """Tell whether a comparison says that something took no longer than a while."""
    if not isinstance(node, ast.Compare):
        return False
    lefts = [node.left, *node.comparators[:-1]]
    return any(
        _is_elapsed(left if isinstance(operator, ast.Lt | ast.LtE) else right)
        for left, operator, right in zip(lefts, node.ops, node.comparators, strict=True)
        if isinstance(operator, ast.Lt | ast.LtE | ast.Gt | ast.GtE)
    )


def _is_elapsed(node: ast.expr) -> bool:
    """Tell whether an expression is the time since something."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and isinstance(node.left, ast.Call)):
        return False
    function = node.left.func
    return isinstance(function, ast.Attribute) and function.attr in CLOCKS


def _is_any_exception(arguments: list[ast.expr]) -> bool:
    return bool(arguments) and isinstance(arguments[0], ast.Name) and arguments[0].id in ("Exception", "BaseException")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_nothing_is_taken_for_granted(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("assert time.monotonic() - begun < 3", "an upper bound"),
        ("assert 0.1 < time.perf_counter() - begun < 2", "an upper bound"),
        ("assert 3 > time.time() - begun", "an upper bound"),
        ("assert time.monotonic() - begun > 0.1", ""),
        ("assert time.monotonic() < deadline", ""),
        ("numpy = pytest.importorskip('numpy')", "importorskip"),
        ("with pytest.raises(Exception, match='lost'): pass", "raises(Exception)"),
        ("with pytest.raises(OSError, match='lost'): pass", ""),
    ],
)
def test_the_check_finds_what_it_is_for(source: str, fault: str) -> None:
    found = faults(source)
    assert (fault in found[0] and len(found) == 1) if fault else found == []
