"""Programs that call functions: redefined, mutated and shared between submissions."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

PREPARATION = """
import functools
import itertools
import numpy as np
from dask import delayed

FACTOR = 1
COUNT = 0
TABLE = {"n": 0}

class Box:
    def __init__(self, n):
        self.n = n
        self.kept = []

    def add(self, x=0, *args, **kwargs):
        self.n += 1
        self.kept.append(len(args))
        return self.n, list(self.kept)
    def __call__(self, x=0, *args, **kwargs):
        self.n += 10
        return self.n, len(args), sorted(kwargs)

def mutate(value):
    if isinstance(value, dict):
        value["more"] = len(value)
    elif isinstance(value, (list, bytearray)):
        value.append(len(value))
    elif isinstance(value, set):
        value.add(len(value) + 100)
    elif isinstance(value, np.ndarray):
        value += 1
    elif isinstance(value, Box):
        value.n += 1
    return value

def wrap(x, others):
    return ("wrapped", x, others)

def make(box):
    def inner(x=0, *args, **kwargs):
        box["calls"] = box.get("calls", 0) + 1
        return dict(box), len(args), sorted(kwargs)
    return inner

def helper(x=0, *args, **kwargs):
    return x

def f(x=0, *args, **kwargs):
    return ("first", helper(x))

def g(x=0, *args, **kwargs):
    return ("g", f(x), FACTOR)

box = {"n": 1}
counter = Box(1)
numbers = [1, 2, 3]
things = [{"n": 1}, numbers, np.arange(4), {1, 2}, bytearray(b"ab"), Box(5)]
things += [[numbers, numbers], (numbers, {"deep": numbers})]
ticks = itertools.count()
kept = []
last = 0

"""

_SMALL = st.integers(0, 3)
_NAMES = st.sampled_from(["helper", "f", "g"])
_THINGS = st.sampled_from(
    [*(f"things[{number}]" for number in range(8)), "numbers", "box", "counter", "3", "'text'", "FACTOR"]
)

_BODIES = st.sampled_from(
    [
        "return ({n}, x)",
        "return ({n}, FACTOR)",
        "return ({n}, dict(TABLE))",
        "TABLE['n'] += 1; return TABLE['n']",
        "return mutate(x)",
        "return [mutate(value) for value in args] + [x]",
        "return {{name: mutate(value) for name, value in sorted(kwargs.items())}}",
        "global COUNT; COUNT += 1; return COUNT",
        "return x is (args[0] if args else None), len(args)",
        "numbers.append({n}); return list(numbers)",
        "return counter(x)",
        "return box['n'], {n}",
        "raise ValueError({n}, FACTOR)",
        "return lambda y: ({n}, FACTOR, y)",
    ]
)


@st.composite
def _definition(draw: st.DrawFn) -> str:
    n, name = draw(_SMALL), draw(_NAMES)
    body = draw(_BODIES).format(n=n)
    kind = draw(st.sampled_from(["plain", "plain", "plain", "calls", "default", "other"]))
    if kind == "plain":
        return f"def {name}(x=0, *args, **kwargs):\n    {body}"
    if kind == "calls" and name != "helper":
        inner = "f" if name == "g" else "helper"
        return f"def {name}(x=0, *args, **kwargs):\n    return ({n}, {inner}(x))"
    if kind == "default":
        return f"def {name}(x=0, *args, seen=[{n}], **kwargs):\n    seen.append(len(seen)); return list(seen)"
    return (
        name
        + " = "
        + draw(
            st.sampled_from(
                [
                    "make(box)",
                    f"Box({n})",
                    "counter.add",
                    "counter",
                    f"functools.partial(helper, things[{n}])",
                    "functools.partial(mutate)",
                    f"lambda x=0, *args, **kwargs: ({n}, FACTOR, x)",
                    "functools.lru_cache(lambda x=0, *args, **kwargs: FACTOR)",
                    "str",
                    "list",
                    "mutate",
                ]
            )
        )
    )


_CHANGES: SearchStrategy[str] = st.one_of(
    st.builds("FACTOR = {}".format, _SMALL),
    st.builds("FACTOR = [{}]".format, _SMALL),
    st.builds("TABLE['n'] = {}".format, _SMALL),
    st.builds("TABLE = {{'n': {}}}".format, _SMALL),
    st.builds("box['n'] = {}".format, _SMALL),
    st.builds("counter.n = {}".format, _SMALL),
    st.builds("numbers.append({})".format, _SMALL),
    st.builds("mutate(things[{}])".format, st.integers(0, 7)),
    st.builds("{}.tag = [{}]".format, _NAMES, _SMALL),
    st.builds("getattr({0}, '__defaults__', None) and setattr({0}, '__defaults__', ({1},))".format, _NAMES, _SMALL),
    st.builds("getattr({0}, '__kwdefaults__', None) and {0}.__kwdefaults__['seen'].append({1})".format, _NAMES, _SMALL),
)

_PURE = st.sampled_from(["", ", pure=True"])

_SUBMISSIONS: SearchStrategy[str] = st.one_of(
    st.builds("kept.append(last := submit({}, {}{}))".format, _NAMES, _THINGS, _PURE),
    st.builds("kept.append(last := submit({}, {}, {}{}))".format, _NAMES, _THINGS, _THINGS, _PURE),
    st.builds("kept.append(last := submit({}, {}, o={}, p={}{}))".format, _NAMES, _THINGS, _THINGS, _THINGS, _PURE),
    st.builds("kept.append(last := submit({}, [{}, ({}, 1)]))".format, _NAMES, _THINGS, _THINGS),
    st.builds("kept.append(map_calls({}, [{}, {}]{}))".format, _NAMES, _THINGS, _THINGS, _PURE),
    st.builds("kept.append(map_calls({}, range(3), o={}, p={}{}))".format, _NAMES, _THINGS, _THINGS, _PURE),
    st.builds("kept.append(map_calls({0}, [{1}] * 3, [{2}] * 3))".format, _NAMES, _THINGS, _THINGS),
    st.builds("kept.append(execute({}, {}, o={}))".format, _NAMES, _THINGS, _THINGS),
    st.builds(
        "a, b = ('a', next(ticks)), ('b', next(ticks)); "
        "kept.append(get({{a: ({0}, {1}, {1}), b: ({2}, {1})}}, [a, b]))".format,
        _NAMES,
        _THINGS,
        _NAMES,
    ),
    st.builds(
        "kept.append(start(*[delayed({}, pure=False)({}, {}, o={}) for _ in range(3)]))".format,
        _NAMES,
        _THINGS,
        _THINGS,
        _THINGS,
    ),
    st.just("kept.append(submit(wrap, last, [last, {'deep': last}]))"),
)

_LOOKS: SearchStrategy[str] = st.one_of(
    st.just("show(kept)"),
    st.just("kept and show(kept[0])"),
    st.just("kept and mutate(result(kept[-1])) and show(kept[-1])"),
    st.just("del kept[:1]"),
)

STATEMENTS: SearchStrategy[list[str]] = st.lists(
    st.one_of(_definition(), _CHANGES, _SUBMISSIONS, _SUBMISSIONS, _LOOKS), min_size=3, max_size=14
).map(lambda statements: [*statements, "show(kept)"])
