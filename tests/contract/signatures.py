"""Compares dagrpc's names and signatures with those of distributed, which distributed_api.pyi lists."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import dagrpc

# What stands behind objects that look up unknown names elsewhere.
_DELEGATES = {
    "Scheduler": "dagrpc_scheduler.shell.service:SchedulerService",
}

STUB = Path(__file__).with_name("distributed_api.pyi")

ANY: Any = object()
"""Stands for a default that may be anything."""
REQUIRED: Any = inspect.Parameter.empty


@dataclass(frozen=True)
class Parameter:
    """A parameter as the stub has it."""

    name: str
    kind: Any
    default: Any


@dataclass(frozen=True)
class Item:
    """A name of the interface, such as ``Client.submit``; without parameters it is an attribute or a class."""

    name: str
    parameters: tuple[Parameter, ...] | None


def _parameters(function: ast.FunctionDef) -> tuple[Parameter, ...]:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [REQUIRED] * (len(positional) - len(arguments.defaults)) + [_value(each) for each in arguments.defaults]
    kinds = inspect.Parameter
    found = [
        Parameter(each.arg, kinds.POSITIONAL_OR_KEYWORD, default)
        for each, default in zip(positional, defaults, strict=True)
        if each.arg != "self"
    ]
    if arguments.vararg is not None:
        found.append(Parameter(arguments.vararg.arg, kinds.VAR_POSITIONAL, REQUIRED))
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append(Parameter(each.arg, kinds.KEYWORD_ONLY, REQUIRED if default is None else _value(default)))
    if arguments.kwarg is not None:
        found.append(Parameter(arguments.kwarg.arg, kinds.VAR_KEYWORD, REQUIRED))
    return tuple(found)


def _value(node: ast.expr) -> Any:
    value = ast.literal_eval(node)
    return ANY if value is ... else value


@cache
def items() -> tuple[Item, ...]:
    """Return the interface, a class before its members."""
    found: list[Item] = []
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.append(Item(node.name, _parameters(node)))
        elif isinstance(node, ast.ClassDef):
            found.append(Item(node.name, None))
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    found.append(Item(f"{node.name}.{member.name}", _parameters(member)))
                elif isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                    found.append(Item(f"{node.name}.{member.target.id}", None))
    return tuple(found)


def _find(name: str) -> Any:
    """Return dagrpc's object of a name, True for an attribute of instances only, or `REQUIRED` if there is none."""
    owner_name, _, member = name.partition(".")
    owner = getattr(dagrpc, owner_name, REQUIRED)
    if not member or owner is REQUIRED:
        return owner
    for each in (owner, *_behind(owner)):
        found = getattr(each, member, REQUIRED)
        if found is not REQUIRED:
            return found
        if member in _set_in_methods(each):
            return True
    return REQUIRED


def _behind(owner: Any) -> list[type]:
    """Return the classes whose attributes an instance has, too, by `__getattr__`."""
    found = _DELEGATES.get(getattr(owner, "__name__", ""))
    if found is None or not hasattr(owner, "__getattr__"):
        return []
    module, _, name = found.partition(":")
    return [getattr(importlib.import_module(module), name)]


@cache
def _set_in_methods(owner: type) -> frozenset[str]:
    """Return the attributes that the methods of a class set on `self`."""
    if not isinstance(owner, type):
        return frozenset()
    sources = [inspect.getsource(each) for each in owner.__mro__ if each.__module__.startswith("dagrpc")]
    return frozenset(name for source in sources for name in re.findall(r"\bself\.(\w+)(?::[^=\n]+)? = ", source))


def missing() -> list[str]:
    """Return the names that dagrpc does not have; of a class that is not there, its own only."""
    absent = {item.name for item in items() if _find(item.name) is REQUIRED}
    return [item.name for item in items() if item.name in absent and not absent & {*_owners(item.name)}]


def _owners(name: str) -> list[str]:
    owner, _, member = name.partition(".")
    return [owner] if member else []


def differences() -> dict[str, list[str]]:
    """Return how the signatures of what there is differ, by name; what only adds to them is no difference."""
    found = {}
    for item in items():
        thing = _find(item.name)
        if item.parameters is None or thing is REQUIRED:
            continue
        wrong = list(_compare(item.parameters, thing))
        if wrong:
            found[item.name] = wrong
    return found


def _compare(expected: tuple[Parameter, ...], thing: Any) -> Iterator[str]:
    try:
        actual = [each for each in inspect.signature(thing).parameters.values() if each.name != "self"]
    except (TypeError, ValueError):
        yield "is not a function"
        return
    by_name = {each.name: each for each in actual}
    kinds = {each.kind for each in actual}
    for each in expected:
        if each.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            if each.kind not in kinds:
                stars = "*" if each.kind is inspect.Parameter.VAR_POSITIONAL else "**"
                yield f"no `{stars}{each.name}`"
            continue
        mine = by_name.get(each.name)
        if mine is None:
            yield f"no parameter `{each.name}`"
        elif each.default is not ANY and mine.default != each.default:
            yield f"`{each.name}` is {_shown(mine.default)} rather than {_shown(each.default)}"
        elif mine.kind is inspect.Parameter.KEYWORD_ONLY and each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            yield f"`{each.name}` by name only"
    yield from _out_of_order(expected, actual)
    known = {each.name for each in expected}
    for mine in actual:
        variable = mine.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        if mine.name not in known and mine.default is REQUIRED and not variable:
            yield f"wants `{mine.name}`"


def _out_of_order(expected: tuple[Parameter, ...], actual: list[inspect.Parameter]) -> Iterator[str]:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    theirs = [each.name for each in expected if each.kind is kind]
    ours = [each.name for each in actual if each.kind is kind and each.name in theirs]
    if ours != [name for name in theirs if name in ours]:
        yield f"in the order {', '.join(ours)}"


def _shown(default: Any) -> str:
    return "required" if default is REQUIRED else f"`{default!r}`"
