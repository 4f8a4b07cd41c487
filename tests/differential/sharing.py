"""Programs whose futures travel: in containers, through queues and variables, to tasks that fail in odd ways."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

PREPARATION = """
import collections

class Names(list):
    pass

class Table(dict):
    pass

Pair = collections.namedtuple("Pair", "left right")

class Odd(Exception):
    pass

class Strict(Exception):
    def __init__(self, code, *, reason=None):
        super().__init__(code)
        self.code = code
        self.reason = reason

def plain(value):
    return value

def add(*values):
    return sum(value for value in values if isinstance(value, int))

def left_of(value):
    return type(value).__name__, value

def fail(kind, value=0):
    if kind == "cause":
        try:
            {}["missing"]
        except KeyError as error:
            raise Odd("caused", value) from error
    if kind == "context":
        try:
            [][value]
        except IndexError:
            raise Odd("in context")
    if kind == "suppressed":
        try:
            1 / 0
        except ZeroDivisionError:
            raise Odd("suppressed") from None
    if kind == "notes":
        error = Odd("noted")
        error.add_note(f"value {value}")
        raise error
    if kind == "group":
        raise ExceptionGroup("several", [Odd(1), ValueError("two"), ExceptionGroup("inner", [KeyError(value)])])
    if kind == "strict":
        raise Strict(value)
    if kind == "deep":
        return fail("deep", value + 1)
    if kind == "stop":
        raise StopIteration(value)
    if kind == "local":
        class Local(ValueError):
            pass
        raise Local(value)
    return value

class Pool:
    def __init__(self):
        self.handles = [submit(plain, 1)]
    def __getitem__(self, number):
        return self.handles[number % len(self.handles)]

pool = Pool()
"""

_FUTURE = st.integers(0, 5).map("pool[{}]".format)
_KINDS = st.sampled_from(
    ["cause", "context", "suppressed", "notes", "group", "strict", "deep", "stop", "local", "none"]
)

_CONTAINERS = st.sampled_from(
    [
        "[{a}, 2]",
        "({a}, [{b}])",
        "{{'a': {a}, 'b': [{b}]}}",
        "Names([{a}, {b}])",
        "Table(a={a})",
        "collections.OrderedDict(a={a}, b={b})",
        "Pair({a}, {b})",
        "[[[{a}]], ({b},)]",
        "collections.defaultdict(list, a={a})",
    ]
)

_STEPS: SearchStrategy[str] = st.one_of(
    st.builds("pool.handles.append(submit(add, {}, {}))".format, _FUTURE, _FUTURE),
    st.builds("pool.handles.append(submit(plain, {}))".format, st.integers(0, 9)),
    st.builds("pool.handles.append(submit(fail, {!r}, {}))".format, _KINDS, st.integers(0, 3)),
    st.builds("show(submit(fail, {!r}, {}))".format, _KINDS, _FUTURE),
    st.builds(
        lambda container, a, b: f"show(submit(left_of, {container.format(a=a, b=b)}))", _CONTAINERS, _FUTURE, _FUTURE
    ),
    st.builds(
        lambda container, a, b: f"show(map_calls(left_of, [{container.format(a=a, b=b)}, 5], [1, 2]))".replace(
            ", [1, 2]", ""
        ),
        _CONTAINERS,
        _FUTURE,
        _FUTURE,
    ),
    st.builds("pool.handles.append(through_queue({}))".format, _FUTURE),
    st.builds("pool.handles.append(through_variable({}))".format, _FUTURE),
    st.builds("pool.handles.append(scatter({}))".format, st.sampled_from(["5", "[1, 2]", "'text'", "{'n': 1}"])),
    st.builds("show({})".format, _FUTURE),
    st.just("del pool.handles[1:2]"),
)

STATEMENTS: SearchStrategy[list[str]] = st.lists(_STEPS, min_size=2, max_size=12).map(
    lambda statements: [*statements, "for handle in pool.handles: show(handle)"]
)
