"""Analyzes bytecode: the names that a function refers to, and whether a call can change the function's own state."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType

_REACH_GLOBALS = frozenset(("eval", "exec", "globals"))
"""Functions through which code reaches global variables without naming them."""
_SET_ATTRIBUTES = frozenset(("delattr", "setattr", "vars"))
"""Functions through which code sets attributes without naming them."""
_LEAD_TO_GLOBALS = frozenset(
    (
        *("__builtins__", "__closure__", "__globals__", "_getframe", "cell_contents", "currentframe", "f_globals"),
        *("get_objects", "get_referents", "get_referrers", "getclosurevars"),
    )
)
"""Attributes through which code reaches the variables of other functions."""
_LEAD_TO_ATTRIBUTES = frozenset(
    ("__code__", "__defaults__", "__delattr__", "__dict__", "__kwdefaults__", "__setattr__")
)
"""Attributes through which code reaches the attributes of functions without naming them."""

_LOAD_GLOBAL = dis.opmap["LOAD_GLOBAL"]
_GLOBAL = frozenset(number for name, number in dis.opmap.items() if "GLOBAL" in name or name == "LOAD_NAME")
_WRITE_GLOBAL = frozenset((dis.opmap["STORE_GLOBAL"], dis.opmap["DELETE_GLOBAL"]))
_WRITE_CELL = frozenset((dis.opmap["STORE_DEREF"], dis.opmap["DELETE_DEREF"]))
_WRITE_ATTRIBUTE = frozenset((dis.opmap["STORE_ATTR"], dis.opmap["DELETE_ATTR"]))


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """The facts about a code object, including the functions and classes nested in it."""

    global_names: tuple[str, ...]
    """Global variables that the code reads, sets or deletes."""
    names: frozenset[str]
    """All names in the code: global variables, attributes and imports."""
    writes_globals: bool
    """Whether the code sets or deletes global variables, or could."""
    leaves_traces: bool
    """Whether the code sets variables that outlive a call: global variables, or variables of an enclosing function."""
    sets_attributes: bool
    """Whether the code sets or deletes attributes of any object, or could."""


@lru_cache(10_000)
def facts_of(code: CodeType) -> CodeFacts:
    """Return the facts about a code object."""
    closed_over = frozenset(code.co_freevars)
    all_names: set[str] = set()
    global_names: dict[str, None] = {}
    writes_globals = writes_closure = sets_attributes = False
    for part in _with_nested(code):
        all_names.update(part.co_names)
        for operation, argument in _operations(part):
            if operation in _GLOBAL:
                global_names[part.co_names[argument >> 1 if operation == _LOAD_GLOBAL else argument]] = None
                writes_globals |= operation in _WRITE_GLOBAL
            elif operation in _WRITE_CELL:
                writes_closure |= part._varname_from_oparg(argument) in closed_over  # type: ignore[attr-defined]
            else:
                sets_attributes |= operation in _WRITE_ATTRIBUTE
    writes_globals |= not (_REACH_GLOBALS.isdisjoint(global_names) and _LEAD_TO_GLOBALS.isdisjoint(all_names))
    sets_attributes |= not (_SET_ATTRIBUTES.isdisjoint(global_names) and _LEAD_TO_ATTRIBUTES.isdisjoint(all_names))
    return CodeFacts(
        global_names=tuple(global_names),
        names=frozenset(all_names),
        writes_globals=writes_globals,
        leaves_traces=writes_globals or writes_closure,
        sets_attributes=sets_attributes,
    )


def _operations(code: CodeType) -> Iterator[tuple[int, int]]:
    """Yield the operations of a code object with their arguments; `dis` yields more details and is slower."""
    units = iter(code.co_code)
    extended = 0
    for operation, low in zip(units, units, strict=True):
        argument = extended << 8 | low
        extended = argument if operation == dis.EXTENDED_ARG else 0
        yield operation, argument


def _with_nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_nested(constant)
