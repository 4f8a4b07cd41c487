"""Proofs that a value has not changed since it was pickled or loaded.

Only values that can change in known places alone have a proof: constants, objects that are pickled by name, and
functions pickled by value whose references (code, defaults, closure, the global variables that they name, attributes,
annotations) are all values with a proof. The proof is a list of these places and of the objects in them. It holds as
long as the places refer to the same objects, which is checked for each place.

While the proof of a function holds, a client reuses its pickle, and a worker reuses the loaded function. All other
values are pickled and loaded each time.
"""

from __future__ import annotations

import copyreg
import datetime
import decimal
import enum
import functools
import logging
import pathlib
import re
import sys
import types
import uuid
from collections.abc import Iterable, Mapping
from operator import attrgetter
from types import CellType, CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any, TypeAlias

import cloudpickle

from dagrpc._codec import pickle5
from dagrpc._codec.bytecode import CodeFacts, facts_of
from dagrpc._codec.cached_functions import CachedFunction, attributes_by_users
from dagrpc._codec.importing import defined_here, steps_to

_MISSING: Any = object()
_EMPTY: Any = object()

CONSTANTS: frozenset[type] = frozenset(
    (
        *(int, float, complex, bool, str, bytes, type(None), type(...), type(NotImplemented), range),
        *(datetime.date, datetime.timedelta, datetime.timezone, decimal.Decimal),
        *(uuid.UUID, re.Pattern, pathlib.PurePosixPath, pathlib.PureWindowsPath),
        *(pathlib.PosixPath, pathlib.WindowsPath),
    )
)
"""Types whose objects are immutable and refer to immutable objects only."""
_RARE_CONSTANTS = {"ZoneInfo": "zoneinfo", "Fraction": "fractions"}
"""More of these types, by module and name, since importing the modules would delay the start of each process."""

_DESCRIPTORS = frozenset((types.MethodDescriptorType, types.WrapperDescriptorType, types.ClassMethodDescriptorType))
_ONLY_CALL = {"curry": ("_partial",), "Compose": ("first", "funcs")}
"""Classes of toolz that dask uses often, with the attributes of the functions that their objects call."""
_FUNCTION_ATTRIBUTES = (
    *("__code__", "__defaults__", "__kwdefaults__", "__dict__", "__annotations__", "__doc__"),
    *("__name__", "__qualname__", "__module__"),
)
_attributes_of = attrgetter(*_FUNCTION_ATTRIBUTES)
_MODULE_VARIABLES = ("__package__", "__name__", "__path__", "__file__")
"""Variables of a function's module that cloudpickle pickles together with the function."""

_Binding: TypeAlias = tuple[Mapping[Any, Any], Any, Any]
"""A mapping, a name, and the object that the mapping had under the name."""


class Proof:
    """The places in which a value could change, with the objects that the prover found there."""

    __slots__ = (
        *("_attributes", "_cells", "_empty", "_filled", "_modules", "_others", "_present"),
        *("_reducers", "_registered", "_sizes", "functions", "leaves_traces", "own"),
    )

    def __init__(self, prover: Prover) -> None:
        self._modules, self._registered, self._reducers = prover.pickling
        bindings = prover.bindings.values()
        self._present = tuple([binding for binding in bindings if _is_present(*binding)])
        self._others = tuple([binding for binding in bindings if not _is_present(*binding)])
        self._cells = tuple(prover.cells)
        self._attributes = tuple(prover.attributes)
        self._empty = tuple([mapping for mapping, size in prover.sizes if not size])
        self._filled = tuple([mapping for mapping, size in prover.sizes if size])
        self._sizes = tuple([size for _, size in prover.sizes if size])
        self.functions: tuple[tuple[FunctionType, CodeFacts], ...] = tuple(prover.functions)
        """The functions in the value that are pickled by value, with the facts about their code."""
        self.own = prover.own
        """The parts of the value that have an identity, by id: functions pickled by value, and their partials."""
        sets_attributes = any(facts.sets_attributes for _, facts in self.functions)
        self.leaves_traces = (sets_attributes and prover.refers_to_functions) or any(
            facts.leaves_traces for _, facts in self.functions
        )
        """Whether a call could change the value, so that no two tasks may use the same object."""

    def holds_for_pickles(self) -> bool:
        """Return whether a new pickle of the value would be the same as before."""
        return (
            self.holds()
            and self._registered is pickle5.reduce_registered
            and self._reducers == len(copyreg.dispatch_table)
            and self._modules == cloudpickle.list_registry_pickle_by_value()
        )

    def holds(self) -> bool:
        """Return whether the value is still the same."""
        # A worker calls this before each task. Subscripts and `is` are the fastest checks.
        try:
            for mapping, name, value in self._present:
                if mapping[name] is not value:
                    return False
        except KeyError:
            return False
        for mapping, name, value in self._others:
            if mapping.get(name, _MISSING) is not value:
                return False
        for function, (code, defaults, kwdefaults, own, hints, doc, name, full_name, module) in self._attributes:
            if not (
                function.__code__ is code
                and function.__defaults__ is defaults
                and function.__kwdefaults__ is kwdefaults
                and function.__dict__ is own
                and function.__annotations__ is hints
                and function.__doc__ is doc
                and function.__name__ is name
                and function.__qualname__ is full_name
                and function.__module__ is module
            ):
                return False
        for cell, value in self._cells:
            if _content(cell) is not value:
                return False
        return not any(self._empty) and (not self._filled or tuple(map(len, self._filled)) == self._sizes)


def prove(value: Any) -> Proof | None:
    """Return a proof of a value's present state; None if the value may change without being noticed."""
    prover = Prover()
    try:
        return Proof(prover) if prover.takes(value) else None
    # Attributes of user objects can raise any exception. Pickling the objects reports it.
    except Exception:
        return None


def _is_present(mapping: Mapping[Any, Any], name: Any, value: Any) -> bool:
    """Return whether a subscript can check a binding. Some mappings create missing values."""
    return value is not _MISSING and (type(mapping) is dict or type(mapping) is MappingProxyType)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _EMPTY


class Prover:
    """Walks a value and everything it refers to, and collects the places that a `Proof` checks again."""

    def __init__(self) -> None:
        self.pickling = (
            cloudpickle.list_registry_pickle_by_value(),
            pickle5.reduce_registered,
            len(copyreg.dispatch_table),
        )
        """The registrations that also affect how values are pickled: of modules and of types."""
        self.bindings: dict[tuple[int, Any], _Binding] = {}
        self.cells: list[tuple[CellType, Any]] = []
        self.attributes: list[tuple[FunctionType, tuple[Any, ...]]] = []
        self.sizes: list[tuple[Mapping[Any, Any], int]] = []
        self.functions: list[tuple[FunctionType, CodeFacts]] = []
        self.own: dict[int, Any] = {}
        """Functions that are pickled by value, and objects made of them such as partials, by id."""
        self.refers_to_functions = False
        """Whether code can reach a function that is pickled by value, other than the function itself."""
        self._seen: dict[int, Any] = {}
        self._inside = 0

    def takes(self, value: Any) -> bool:
        """Return whether a value has a proof, and collect its places."""
        kind = type(value)
        if kind in CONSTANTS:
            return True
        if id(value) in self._seen:
            self.refers_to_functions |= self._inside > 0 and id(value) in self.own
            return True
        # The reference keeps other objects from getting the id.
        self._seen[id(value)] = value
        if pickle5.reduce_registered is not None and kind is not type and _is_registered(kind):
            return False
        if kind is tuple or kind is frozenset:
            return self._all(value)
        if kind is FunctionType:
            return self._imported(value) or self._function(value)
        if kind is ModuleType:
            return self._module(value)
        if issubclass(kind, type):
            return value in _BUILT_IN_TYPES or (kind not in copyreg.dispatch_table and self._imported(value))
        if kind is types.BuiltinFunctionType:
            owner = value.__self__
            return self._imported(value) if owner is None or isinstance(owner, ModuleType) else self.takes(owner)
        return self._rarer(value, kind)

    def _rarer(self, value: Any, kind: type) -> bool:
        if kind is functools.partial:
            self.own[id(value)] = value
            return self._all((value.func, value.args)) and self._mapping(value.keywords) and self._mapping(vars(value))
        if kind is CachedFunction:
            return self._imported(value) or self._cached(value)
        if kind.__name__ in _ONLY_CALL and kind.__module__ == "toolz.functoolz":
            self.own[id(value)] = value
            return all(self.takes(getattr(value, name)) for name in _ONLY_CALL[kind.__name__])
        if kind is CodeType:
            return self._all(value.co_consts)
        if kind in _DESCRIPTORS:
            return self.takes(value.__objclass__)
        if kind is slice:
            return self._all((value.start, value.stop, value.step))
        if kind is datetime.datetime or kind is datetime.time:
            return self.takes(value.tzinfo)
        if kind is types.UnionType or issubclass(kind, types.GenericAlias) or kind.__module__ == "typing":
            parts = (getattr(value, name, None) for name in ("__origin__", "__args__", "__metadata__"))
            return self._all(parts)
        if kind is logging.Logger or kind is logging.RootLogger:
            # The receiver has an object of the same name.
            return kind is logging.RootLogger or self._bind(value.manager.loggerDict, value.name, value)
        if is_rare_constant(kind):
            return True
        if isinstance(value, enum.Enum):
            return self.takes(kind) and self.takes(value.value)
        if kind.__module__.partition(".")[0] != "numpy":
            return False
        # Most NumPy functions are objects of this class.
        return self._imported(value) if kind.__name__ == "_ArrayFunctionDispatcher" else _is_constant_of_numpy(value)

    def _all(self, values: Iterable[Any]) -> bool:
        return all(map(self.takes, values))

    def _mapping(self, mapping: Mapping[Any, Any]) -> bool:
        """Check a dictionary that other code can reach, such as the attributes of a function."""
        self.sizes.append((mapping, len(mapping)))
        return all(self._bind(mapping, name, value) and self.takes(value) for name, value in list(mapping.items()))

    def _bind(self, mapping: Mapping[Any, Any], name: Any, value: Any) -> bool:
        self.bindings[id(mapping), name] = (mapping, name, value)
        return value is mapping.get(name, _MISSING)

    def _imported(self, value: Any) -> bool:
        """Check an object that a module may have under its name."""
        if defined_here(getattr(value, "__module__", None)):
            return False
        steps = list(steps_to(value))
        if steps[-1][2] is not value:
            return False
        return all(self._bind(*step) for step in steps)

    def _module(self, module: ModuleType) -> bool:
        name = module.__name__
        return not (name != "__main__" and defined_here(name)) and self._bind(sys.modules, name, module)

    # --- functions that travel by value --------------------------------------------------------------------------

    def _function(self, function: FunctionType) -> bool:
        attributes = _attributes_of(function)
        code, defaults, keyword_defaults, own, annotations, *texts = attributes
        facts = facts_of(code)
        self.own[id(function)] = function
        self.attributes.append((function, attributes))
        self.functions.append((function, facts))
        self.refers_to_functions |= self._inside > 0
        self._inside += 1
        taken = (
            self._all(texts)
            and self._all(defaults or ())
            and self._all(code.co_consts)
            and self._mapping(own)
            and self._mapping(annotations)
            and (keyword_defaults is None or self._mapping(keyword_defaults))
            and self._closure(function, facts)
            and self._globals(function, facts)
        )
        self._inside -= 1
        return taken

    def _cached(self, function: Any) -> bool:
        self.own[id(function)] = function
        self.sizes.append((vars(function), len(vars(function))))
        return self.takes(function.__wrapped__) and not attributes_by_users(function)

    def _closure(self, function: FunctionType, facts: CodeFacts) -> bool:
        for cell in function.__closure__ or ():
            content = _content(cell)
            self.cells.append((cell, content))
            if content is not _EMPTY and not self._reference(content, facts):
                return False
        return True

    def _globals(self, function: FunctionType, facts: CodeFacts) -> bool:
        variables = function.__globals__
        for name in (*facts.global_names, *_MODULE_VARIABLES):
            value = variables.get(name, _MISSING)
            self.bindings[id(variables), name] = (variables, name, value)
            if value is _MISSING or name == "__path__":
                continue
            if not self._reference(value, facts):
                return False
        return True

    def _reference(self, value: Any, facts: CodeFacts) -> bool:
        """Check the value of a variable. For a package, also check the submodules that the code may refer to."""
        if type(value) is ModuleType and getattr(value, "__package__", None):
            self._submodules(value.__name__, facts)
        return self.takes(value)

    def _submodules(self, package: str, facts: CodeFacts) -> None:
        for name in facts.names:
            path = f"{package}.{name}"
            module = sys.modules.get(path, _MISSING)
            self.bindings[id(sys.modules), path] = (sys.modules, path, module)
            if module is not _MISSING:
                self._submodules(path, facts)


_BUILT_IN_TYPES = frozenset(
    kind
    for module in (sys.modules["builtins"], types)
    for kind in vars(module).values()
    if type(kind) is type and kind.__module__ == "builtins"
)
"""Types that all processes have and that cannot be changed."""


def is_rare_constant(kind: type) -> bool:
    """Return whether a type is like those in `CONSTANTS`, but belongs to a module that may not be imported."""
    module = _RARE_CONSTANTS.get(kind.__name__)
    return module is not None and getattr(sys.modules.get(module), kind.__name__, None) is kind


def _is_registered(kind: type) -> bool:
    from dagrpc._codec.serializers import dask_serialize

    return dask_serialize.find(kind) is not None


def _is_constant_of_numpy(value: Any) -> bool:
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.dtype):
        return value.fields is None
    if isinstance(value, numpy.ufunc):
        return True
    return isinstance(value, (numpy.number, numpy.bool_, numpy.str_, numpy.bytes_, numpy.datetime64))
