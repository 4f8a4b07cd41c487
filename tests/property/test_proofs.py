"""Functions change at random between submissions, and traces of tasks show that reused results are never stale."""

from __future__ import annotations

import collections.abc
import functools
import importlib
import json
import math
from collections.abc import Callable
from typing import Any

import cloudpickle
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dagrpc._codec import pickle5
from dagrpc._codec.functions import FunctionCache, PickledFunction
from dagrpc._codec.shared_store import SharedStore

NAMES = ("a", "b", "c", "d")

# --- functions that change ---------------------------------------------------------------------------------------

BODIES = (
    "({uses},)",
    "[y for y in [1] for _ in ({uses},)]",
    "(lambda: ({uses},))()",
    "json.dumps({first}) + str(math.pi)",
    "collections.abc.Sized, {first}",
    "{first}.real if {first} else None",
)
HEADS = ("def f(x=0): return {body}", "def f(x={default}): return {body}", "def f(*, x={default}): return {body}")
CLOSED = "def make({uses}):\n    def f(): return {body}\n    return f\nf = make({values})"
WRAPPED = (
    "f = functools.partial(f, 1)",
    "f = functools.lru_cache(f)",
    "f = functools.wraps(f)(lambda *args: f_(*args))\nf_ = f.__wrapped__",
    "f.extra = {default}",
)
VALUES = (
    "0",
    "1",
    "True",
    "1.0",
    "'text'",
    "(1, 2)",
    "(1, [2])",
    "[1]",
    "{'k': 1}",
    "frozenset((1, 2))",
    "json",
    "collections",
    "math.sin",
    "len",
    "numpy.add",
    "numpy.float64(1)",
    "numpy.ones(2)",
    "json.JSONEncoder",
    "lambda: 1",
    "lambda: a",
    "lambda: (b, c)",
    "lambda x=[]: x",
    "functools.partial(len, 'x')",
    "functools.partial(len, [1])",
    "type('Local', (), {'n': 1})",
    "list[int]",
    "f",
)
CHANGES = (
    "{name} = {value}",
    "{name} = {name}",
    "del {name}",
    "{name}.append({value})",
    "{name}['k'] = {value}",
    "{name}[0] = 7",
    "{name}.__defaults__ = ({value},)",
    "{name}.__defaults__[0].append(1)",
    "{name}.n = {value}",
    "f.n = {value}",
    "f.__defaults__ = ({value},)",
    "f.__kwdefaults__ = {{'x': {value}}}",
    "f.__kwdefaults__['x'] = {value}",
    "f.__annotations__['x'] = {value}",
    "f.__doc__ = 'text'",
    "f.__name__ = 'g'",
    "f.__qualname__ = 'g'",
    "f.__code__ = (lambda: 5).__code__",
    "f.__closure__[0].cell_contents = {value}",
    "len = {value}",
    "import collections.abc",
    "cloudpickle.register_pickle_by_value(json)",
    "cloudpickle.unregister_pickle_by_value(json)",
)

names = st.sampled_from(NAMES)
values = st.sampled_from(VALUES)


@st.composite
def functions(draw: st.DrawFn) -> str:
    """The source of some variables, and of a function that uses some of them."""
    uses = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    body = draw(st.sampled_from(BODIES)).format(uses=", ".join(uses), first=uses[0])
    if draw(st.booleans()):
        head = draw(st.sampled_from(HEADS)).format(body=body, default=draw(values.filter(lambda value: value != "f")))
    else:
        head = CLOSED.format(uses=", ".join(uses), values=", ".join(uses), body=body)
    lines = [f"{name} = {draw(values.filter(lambda value: value != 'f'))}" for name in NAMES]
    lines.append(head)
    if draw(st.integers(0, 3)) == 0:
        lines.append(draw(st.sampled_from(WRAPPED)).format(default=draw(values)))
    return "\n".join(lines)


def _change(form: str, name: str, value: str) -> str:
    return form.format(name=name, value=value)


changes = st.builds(_change, st.sampled_from(CHANGES), names, values)


@settings(max_examples=300)
@given(functions(), st.lists(st.lists(changes, max_size=2), min_size=1, max_size=6))
def test_a_reused_pickle_equals_a_new_one(source: str, steps: list[list[str]]) -> None:
    modules = (cloudpickle, collections, functools, json, math)
    space: dict[str, Any] = {"__name__": "__main__", "numpy": np, **{module.__name__: module for module in modules}}
    exec(source, space)
    cache = FunctionCache()
    try:
        for step in ([], *steps):
            for change in step:
                try_to(change, space)
            reused = data_of(lambda: cache.pickled(space["f"]).data)
            assert reused == data_of(lambda: pickle5.dumps_inband(space["f"]))
    finally:
        try_to("cloudpickle.unregister_pickle_by_value(json)", space)
        importlib.import_module("json")


def try_to(change: str, space: dict[str, Any]) -> None:
    """Carry a change out if it can be."""
    try:
        exec(change, space)
    except Exception:
        return


def data_of(pickle: Callable[[], bytes]) -> bytes | None:
    """Return a pickle, None if there is none."""
    try:
        return pickle()
    except Exception:
        return None


# --- tasks that leave traces -------------------------------------------------------------------------------------

STATEMENTS = (
    "global n; n += 1; out.append(n)",
    "seen.append(1); out.append(len(seen))",
    "out.append(n)",
    "out.append(helper())",
    "helper.calls = getattr(helper, 'calls', 0) + 1; out.append(helper.calls)",
    "f.calls = getattr(f, 'calls', 0) + 1; out.append(f.calls)",
    "setattr(helper, 'calls', getattr(helper, 'calls', 0) + 1); out.append(helper.calls)",
    "names = globals(); names['m'] = names.get('m', 0) + 1; out.append(names['m'])",
    "exec('m = globals().get(\"m\", 0) + 1', globals()); out.append(m)",
    "it = helper; it.__dict__['d'] = it.__dict__.get('d', 0) + 1; out.append(it.d)",
    "keep.append(len(out)); out.append(len(keep))",
    "f.__defaults__ = ((f.__defaults__ or (0,))[0] + 1,); out.append(f.__defaults__[0])",
    "helper.__globals__['n'] = n + 1; out.append(n)",
    "out.append(import_it())",
    "box.n += 1; out.append(box.n)",
    "out.append(next(numbers))",
    "nested(); out.append(n)",
    "Cls.n = Cls.n + 1; out.append(Cls.n)",
    "local = [1]; local[0] += 1; out.append(local)",
    "import sys; sys._getframe().f_globals['n'] += 1; out.append(n)",
    "helper.__code__ = (lambda: n + 10).__code__; out.append(helper())",
)
PRELUDE = """
n = 0
seen = []
keep = []
def helper(): return n
def import_it():
    import json
    return json.__name__
def nested():
    def inner():
        global n
        n += 1
    inner()
class Box: n = 0
box = Box()
numbers = iter(range(100))
class Cls: n = 0
"""


@settings(max_examples=200)
@given(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=4), st.integers(2, 4))
def test_each_task_finds_what_the_first_one_found(statements: list[str], times: int) -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    body = "\n    ".join(statements)
    # `global` stands before the first use of the name.
    head = "global n\n    " if any("global n" in statement for statement in statements) else ""
    exec(f"{PRELUDE}\ndef f():\n    {head}out = []\n    {body.replace('global n; ', '')}\n    return out", space)
    pickled_function = PickledFunction(space["f"])
    expected = cloudpickle.loads(pickled_function.data)()
    store = SharedStore()
    store.put(pickled_function.digest, pickled_function.data)
    assert [store.load(pickled_function.digest)() for _ in range(times)] == [expected] * times
