"""Finds the objects in a pickle that no other pickle of the same task may contain.

Each pickle is unpickled separately, so an object that two pickles contain becomes two objects. For constants and
imported objects this makes no difference. For all other objects it does: a change through one reference is not visible
through the other, and `is` returns False. Therefore the pickles of one task must not have such objects in common.
"""

from __future__ import annotations

import datetime
import enum
import types
from collections.abc import Collection, Iterator, Mapping, Set
from operator import itemgetter
from types import FunctionType
from typing import Any, TypeAlias

from dask._task_spec import TaskRef

from dagrpc._codec.bytecode import facts_of
from dagrpc._codec.cached_functions import CachedFunction
from dagrpc._codec.importing import importable
from dagrpc._codec.proofs import CONSTANTS, Proof, is_rare_constant

_WITHOUT_IDENTITY = CONSTANTS | frozenset(
    (
        *(tuple, frozenset, slice, datetime.datetime, datetime.time, types.CodeType, types.ModuleType),
        *(types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, types.GenericAlias),
        *(types.UnionType, TaskRef),
    )
)
"""Types whose objects cannot be distinguished from equal objects."""


Noted: TypeAlias = Mapping[int, tuple[int, Any]]
"""The objects in a pickle by id, each with its position; see `pickle5.dumps_noting`."""


class Contents:
    """The objects in a pickle that have an identity, and the namespaces of global variables that its functions use.

    Parameters
    ----------
    objects : mapping
        The objects by id, each with its position.
    functions : collection
        The functions that travel by value.
    """

    __slots__ = ("_objects", "_reads", "_writes", "has_data")

    def __init__(self, objects: Noted, functions: Collection[FunctionType]) -> None:
        # References to the objects, so that no other object gets one of their ids.
        self._objects = objects
        self._reads = frozenset(id(function.__globals__) for function in functions)
        self._writes = frozenset(
            id(function.__globals__) for function in functions if facts_of(function.__code__).writes_globals
        )
        self.has_data = len(objects) > sum(id(function) in objects for function in functions)
        """Whether the pickle contains any object besides functions."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the objects."""
        return iter([obj for _, obj in self._objects.values()])

    def has(self, obj: Any) -> bool:
        """Return whether the pickle contains an object."""
        return id(obj) in self._objects

    def among(self, ids: Set[int]) -> list[Any]:
        """Return the objects whose ids are in a set, containers before the objects that they contain."""
        common = self._objects.keys() & ids
        return [obj for _, obj in sorted(map(self._objects.__getitem__, common), key=_PLACE)] if common else []

    def common(self, other: Contents) -> list[Any]:
        """Return the objects that both pickles contain."""
        return self.among(other._objects.keys())

    def shares_variables(self, other: Contents) -> bool:
        """Return whether functions of one pickle set global variables that functions of the other pickle use."""
        return not (self._writes.isdisjoint(other._reads) and other._writes.isdisjoint(self._reads))


_PLACE = itemgetter(0)


def proven_contents(proof: Proof) -> Contents:
    """Return the contents of the pickle of a proven value."""
    objects = {identity: (0, obj) for identity, obj in proof.own.items()}
    return Contents(objects, [function for function, _ in proof.functions])


def noted_contents(memo: Noted) -> Contents:
    """Return the contents of a pickle, given the objects that the pickler noted."""
    objects: dict[int, tuple[int, Any]] = {}
    functions: list[FunctionType] = []
    classes: list[type] = []
    for identity, noted in memo.items():
        value = noted[1]
        kind = type(value)
        if kind in _WITHOUT_IDENTITY:
            continue
        if kind is FunctionType or kind is CachedFunction:
            if not importable(value):
                objects[identity] = noted
                if kind is FunctionType:
                    functions.append(value)
        elif issubclass(kind, type):
            if not importable(value):
                classes.append(value)
        elif not _is_like_a_constant(kind):
            objects[identity] = noted
    for value in _parts_of(classes):
        objects.pop(id(value), None)
    return Contents(objects, functions)


def _is_like_a_constant(kind: type) -> bool:
    module = kind.__module__
    return (
        module == "typing"
        or module == "numpy.dtypes"
        or (module == "numpy" and kind.__name__ in ("ufunc", "_ArrayFunctionDispatcher"))
        or kind.__name__ == "cython_function_or_method"
        or issubclass(kind, enum.Enum)
        or is_rare_constant(kind)
    )


def _parts_of(classes: Collection[type]) -> Iterator[Any]:
    """Yield the members of classes that travel by value; a process keeps one copy of each class."""
    for each in classes:
        for value in vars(each).values():
            yield value
            function = getattr(value, "__func__", value)
            yield function
            yield from getattr(function, "__closure__", None) or ()
