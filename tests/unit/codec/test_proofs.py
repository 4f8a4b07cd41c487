"""Proofs that values do not change unseen: what has one, what makes it fail, and when what was loaded may be kept."""

from __future__ import annotations

import datetime
import enum
import functools
import importlib
import logging
import math
import operator
import re
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import toolz  # type: ignore[import-untyped]

from dagrpc._codec import pickle5, serializers
from dagrpc._codec.bytecode import facts_of
from dagrpc._codec.functions import FunctionCache, PickledFunction
from dagrpc._codec.proofs import prove
from dagrpc._codec.shared_store import SharedStore


class Color(enum.Enum):
    RED = 1


class Pair(NamedTuple):
    x: int
    y: int


def make(value: Any) -> Callable[[], Any]:
    return lambda: value


logger = logging.getLogger("of a script")

CONSTANTS = [
    *(1, 2.5, 1j, True, "text", b"bytes", None, ..., (1, ("a", None)), frozenset((1, 2)), range(3), slice(1, None)),
    *(datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), re.compile("a"), Path("a")),
    *(int, dict, Color, Color.RED, Pair, ValueError, type(None), list[int], int | None, typing.Literal[1]),
    *(
        math,
        np,
        len,
        math.sin,
        "a".upper,
        str.upper,
        operator.add,
        logger,
        np.dtype("f8"),
        np.float64(1),
        np.add,
        np.sum,
    ),
    *(functools.partial(len, "x"), functools.partial(int, base=2), toolz.curry(operator.add), lambda: 1, make(1)),
]
VARIABLES = [
    *([1], {"a": 1}, {1}, bytearray(b"a"), np.ones(2), pd.DataFrame(), object(), (1, [2]), iter([1]), Pair(1, 2)),
    *([1, 2].append, functools.partial(len, []), functools.partial(int, base=[]), toolz.curry(operator.add, [])),
    *(type("Local", (), {}), np.zeros(1, "i4,i4")[0], np.dtype("i4,i4")),
]


@pytest.mark.parametrize("value", CONSTANTS, ids=lambda value: type(value).__name__)
def test_values_that_cannot_change_unseen(value: Any) -> None:
    assert prove(value) is not None
    assert prove(make(value)) is not None


@pytest.mark.parametrize("value", VARIABLES, ids=lambda value: type(value).__name__)
def test_values_that_can_change(value: Any) -> None:
    assert prove(make(value)) is None
    # Bound methods of classes, for instance, refer to nothing but what is imported.
    assert prove(value) is None


@pytest.mark.parametrize(
    "source",
    [
        "def f(x: int, y: 'str' = 'a') -> list[int]: return x",
        "import typing\ndef f(x: typing.Callable[[int], typing.Any]) -> typing.Annotated[int, 'a']: return x",
        "from collections.abc import Callable\ndef f(x: Callable[[int], str]): return x",
        "import numpy as np\ndef f(x: np.ndarray): return np.sum(x)",
        "def f(x): return g(x)\ndef g(x): return f(x - 1) if x else 0",
        "import logging\nlogger = logging.getLogger('a')\ndef f(x): logger.info(x)",
        "import functools\n@functools.lru_cache(maxsize=5)\ndef f(x): return f(x - 1) + 1 if x else 0",
        "import functools\ndef deco(g):\n    @functools.wraps(g)\n    def inner(*a): return g(*a)\n    return inner\n"
        "@deco\ndef f(x): return x",
        "async def f(x): return x",
        "def f(x): yield x",
        "def f(x):\n    class Inner:\n        y = x\n    return Inner",
    ],
)
def test_functions_of_scripts_are_pickled_and_loaded_once(source: str) -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(source, space)
    cache, store = FunctionCache(), SharedStore()
    pickled = cache.pickled(space["f"])
    assert cache.pickled(space["f"]) is pickled
    store.put(pickled.digest, pickled.data)
    assert store.load(pickled.digest) is store.load(pickled.digest)


LEAVES_TRACES = {
    "def f():\n    global n\n    n = 1": True,
    "def f():\n    global n\n    del n": True,
    "def f():\n    def inner():\n        global n\n        n = 1\n    inner()": True,
    "def f(): f.n = 1": True,
    "def g(): pass\ndef f():\n    it = g\n    it.n = 1": True,
    "def g(): pass\ndef f(): del g.n": True,
    "def f(): setattr(f, 'n', 1)": True,
    "def f(): globals()['n'] = 1": True,
    "def f(): exec('n = 1')": True,
    "def g(): pass\ndef f(): g.__dict__['n'] = 1": True,
    "def f(x): x.__globals__['n'] = 1": True,
    "def f(x): x.n = 1": False,
    "def f(x): x['n'] = 1": False,
    "def g(): pass\ndef f(x): return g()": False,
    "def f():\n    n = 1\n    def inner():\n        nonlocal n\n        n = 2\n    return inner": False,
    "def f(frame): return frame.eval('a + b')": False,
    "def f():\n    import math\n    return math.pi": False,
}


@pytest.mark.parametrize("source", LEAVES_TRACES)
def test_statements_that_leave_traces(source: str) -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(source, space)
    proof = prove(space["f"])
    assert proof is not None
    assert proof.leaves_traces is LEAVES_TRACES[source]


def test_closures_that_are_written_to_leave_traces() -> None:
    def make_counter() -> Callable[[], int]:
        n = 0

        def count() -> int:
            nonlocal n
            n += 1
            return n

        return count

    proof = prove(make_counter())
    assert proof is not None
    assert proof.leaves_traces


def test_code_is_read_as_dis_reads_it() -> None:
    import dis

    for module in (functools, logging, re, typing, importlib, pickle5, serializers):
        for function in vars(module).values():
            if not hasattr(function, "__code__"):
                continue
            code = function.__code__
            parts = [code, *(constant for constant in code.co_consts if hasattr(constant, "co_code"))]
            named = {
                instruction.argval
                for part in parts
                for instruction in dis.get_instructions(part)
                if "GLOBAL" in instruction.opname or instruction.opname == "LOAD_NAME"
            }
            assert named <= set(facts_of(code).global_names)


# --- modules -----------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A package with a module inside that is not imported yet."""
    folder = tmp_path / "package_of_proofs"
    folder.mkdir()
    (folder / "__init__.py").write_text("def value(): return 1\nclass Holder:\n    def value(self): return 1\n")
    (folder / "inner.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module("package_of_proofs")
    for name in list(sys.modules):
        if name.startswith("package_of_proofs"):
            del sys.modules[name]


def test_a_submodule_that_is_imported_later_goes_along(package: Any) -> None:
    def use() -> Any:
        return package.inner

    cache = FunctionCache()
    before = cache.pickled(use).data
    assert cache.pickled(use).data is before
    importlib.import_module("package_of_proofs.inner")
    after = cache.pickled(use).data
    assert after != before
    assert after == pickle5.dumps_inband(use)


@pytest.mark.parametrize("name", ["value", "Holder", "Holder.value"])
def test_an_imported_name_is_looked_up_again_after_a_reload(package: Any, name: str) -> None:
    store = SharedStore()
    value = operator.attrgetter(name)(package)
    for function in (value, functools.partial(value, 1), make(value)):
        pickled = PickledFunction(function)
        store.put(pickled.digest, pickled.data)
    loaded = {digest: store.load(digest) for digest in store._data}
    assert all(store.load(digest) is kept for digest, kept in loaded.items())
    importlib.reload(package)
    assert all(store.load(digest) is not kept for digest, kept in loaded.items())
    assert operator.attrgetter(name)(package) in [store.load(digest) for digest in loaded]


def test_a_module_that_is_to_travel_by_value_does_so_at_once(package: Any) -> None:
    import cloudpickle

    cache = FunctionCache()
    assert b"package_of_proofs" in cache.pickled(package.value).data
    cloudpickle.register_pickle_by_value(package)
    try:
        by_value = cache.pickled(package.value).data
        assert b"_make_function" in by_value
    finally:
        cloudpickle.unregister_pickle_by_value(package)
    assert b"_make_function" not in cache.pickled(package.value).data


def test_a_type_that_is_registered_travels_by_what_was_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle5, "reduce_registered", None)
    cache = FunctionCache()
    function = functools.partial(len, "abc")
    assert cache.pickled(function) is cache.pickled(function)
    serializers.dask_serialize.register(functools.partial, lambda value: ({}, [b"partial"]))
    serializers.dask_deserialize.register(functools.partial, lambda header, frames: len)
    try:
        assert prove(function) is None
        assert b"partial" in cache.pickled(function).data
    finally:
        for dispatch in (serializers.dask_serialize, serializers.dask_deserialize):
            dispatch._lookup.pop(functools.partial, None)
        serializers._found.clear()
