"""What a pickle has in it that other pickles of the same task must not have as well.

Two pickles are unpickled each for itself: an object that is in both becomes two. Nobody can tell with constants and
with what is imported; with anything else a change by one reference is not seen by the other, and `is` says that they
are two. So what a task gets from several pickles has to be apart.
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
"""Types of objects that nobody tells from equal ones."""


Noted: TypeAlias = Mapping[int, tuple[int, Any]]
"""The objects in a pickle by their ids, each with its place; see `pickle5.dumps_noting`."""


class Contents:
    """The objects in a pickle that have an identity, and whose global variables its functions use.

    Parameters
    ----------
    objects : mapping
        The objects by their ids, each with its place.
    functions : collection
        The functions that travel by value.
    """

    __slots__ = ("_objects", "_reads", "_writes", "has_data")

    def __init__(self, objects: Noted, functions: Collection[FunctionType]) -> None:
        # The objects are kept, so that their ids stay theirs.
        self._objects = objects
        self._reads = frozenset(id(function.__globals__) for function in functions)
        self._writes = frozenset(
            id(function.__globals__) for function in functions if facts_of(function.__code__).writes_globals
        )
        self.has_data = len(objects) > sum(id(function) in objects for function in functions)
        """Whether there is anything but functions."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the objects."""
        return iter([obj for _, obj in self._objects.values()])

    def has(self, obj: Any) -> bool:
        """Return whether an object is in it."""
        return id(obj) in self._objects

    def among(self, ids: Set[int]) -> list[Any]:
        """Return the objects that are among others, given by their ids: what contains another comes before that."""
        common = self._objects.keys() & ids
        return [obj for _, obj in sorted(map(self._objects.__getitem__, common), key=_PLACE)] if common else []

    def common(self, other: Contents) -> list[Any]:
        """Return the objects that are in both."""
        return self.among(other._objects.keys())

    def shares_variables(self, other: Contents) -> bool:
        """Return whether functions of one set global variables that functions of the other use."""
        return not (self._writes.isdisjoint(other._reads) and other._writes.isdisjoint(self._reads))


_PLACE = itemgetter(0)


def proven_contents(proof: Proof) -> Contents:
    """Return the contents of what there is a proof of."""
    objects = {identity: (0, obj) for identity, obj in proof.own.items()}
    return Contents(objects, [function for function, _ in proof.functions])


def noted_contents(memo: Noted) -> Contents:
    """Return the contents of a pickle."""
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
    """Yield what belongs to classes that travel by value: one of each is in a process, however often it comes."""
    for each in classes:
        for value in vars(each).values():
            yield value
            function = getattr(value, "__func__", value)
            yield function
            yield from getattr(function, "__closure__", None) or ()
