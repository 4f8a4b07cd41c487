"""A task gets its function and arguments as they were at the submission, and a copy of its own."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest

from tests.parity.notebooks import TIMES, Notebook, repeated


@pytest.fixture(scope="module")
def one_worker(lib: Any) -> Iterator[Any]:
    """A cluster of one worker with one thread, where a task finds what the one before it left."""
    with lib.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        yield cluster


@pytest.fixture
def single(lib: Any, one_worker: Any) -> Iterator[Any]:
    """A client of one worker with one thread."""
    with lib.Client(one_worker) as client:
        yield client


# --- functions as they are when they are submitted ---------------------------------------------------------------


CHANGES = {
    "helper": ("def helper(x): return x + 1\ndef f(x): return helper(x)", "def helper(x): return x + 2"),
    "helper of a helper": (
        "def inner(x): return x + 1\ndef helper(x): return inner(x)\ndef f(x): return helper(x)",
        "def inner(x): return x + 2",
    ),
    "helper in a nested function": (
        "def helper(x): return x + 1\ndef f(x):\n    def inner(): return helper(x)\n    return inner()",
        "def helper(x): return x + 2",
    ),
    "helper in a comprehension": (
        "def helper(x): return x + 1\ndef f(x): return [helper(y) for y in [x]][0]",
        "def helper(x): return x + 2",
    ),
    "global variable": ("N = 1\ndef f(x): return x + N", "N = 2"),
    "global list": ("N = [1]\ndef f(x): return x + N[0]", "N[0] = 2"),
    "global array": ("import numpy\nN = numpy.ones(3, int)\ndef f(x): return x + N[0]", "N[0] = 2"),
    "global object": ("class P: n = 1\nN = P()\ndef f(x): return x + N.n", "N.n = 2"),
    "class attribute": ("class P: n = 1\ndef f(x): return x + P.n", "P.n = 2"),
    "method": (
        "class P:\n    def n(self): return 1\ndef f(x): return x + P().n()",
        "P.n = lambda self: 2",
    ),
    "new global that hides a built-in": ("def f(x): return x + len('a')", "def len(_): return 2"),
    "global that is deleted": ("def len(_): return 1\ndef f(x): return x + len('ab')", "del len"),
    "closure": (
        "def make():\n    n = 1\n    def f(x): return x + n\n    def put(m):\n        nonlocal n\n        n = m\n"
        "    return f, put\nf, put = make()",
        "put(2)",
    ),
    "content of a closure": (
        "def make(box): return lambda x: x + box['n']\nbox = {'n': 1}\nf = make(box)",
        "box['n'] = 2",
    ),
    "default": ("def f(x, n=1): return x + n", "f.__defaults__ = (2,)"),
    "content of a default": ("def f(x, n=[1]): return x + n[0]", "f.__defaults__[0][0] = 2"),
    "keyword default": ("def f(x, *, n=1): return x + n", "f.__kwdefaults__['n'] = 2"),
    "attribute": ("def f(x): return x + f.n\nf.n = 1", "f.n = 2"),
    "code": ("def f(x): return x + 1\ndef g(x): return x + 2", "f.__code__ = g.__code__"),
    "decorated": (
        "import functools\ndef helper(x): return x + 1\ndef deco(g):\n    @functools.wraps(g)\n"
        "    def wrapper(*args): return g(*args)\n    return wrapper\n@deco\ndef f(x): return helper(x)",
        "def helper(x): return x + 2",
    ),
    "recursive": (
        "def end(): return 1\ndef f(x): return f(x - 1) + 1 if x > 0 else end()",
        "def end(): return 2",
    ),
    "partial": ("import functools\nn = [1]\nf = functools.partial(lambda n, x: x + n[0], n)", "n[0] = 2"),
    "helper of a partial": (
        "import functools\ndef helper(x): return x + 1\nf = functools.partial(lambda x: helper(x))",
        "def helper(x): return x + 2",
    ),
    "instance": ("class P:\n    n = 1\n    def __call__(self, x): return x + self.n\nf = P()", "f.n = 2"),
    "bound method": ("class P:\n    n = 1\n    def m(self, x): return x + self.n\np = P()\nf = p.m", "p.n = 2"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_submission_means_what_the_function_is_at_that_moment(client: Any, change: str) -> None:
    notebook = Notebook()
    before, after = CHANGES[change]
    notebook.run(before)
    old = client.submit(notebook.f, 1), *client.map(notebook.f, [1])
    assert client.gather(list(old)) == [2, 2]
    assert client.submit(notebook.f, 1).key == old[0].key
    notebook.run(after)
    new = client.submit(notebook.f, 1), *client.map(notebook.f, [1])
    # It is another call, so it has another key.
    assert {future.key for future in old}.isdisjoint(future.key for future in new)
    assert client.gather(list(new)) == [3, 3]
    assert client.submit(notebook.f, 1, pure=False).result(timeout=60) == 3
    assert dask.delayed(notebook.f)(1).compute() == 3
    with client.get_executor(pure=False) as executor:
        assert executor.submit(notebook.f, 1).result(timeout=60) == 3


def test_changes_after_the_submission_do_not_matter(client: Any) -> None:
    notebook = Notebook()
    notebook.run("N = [1]\ndef f(x): return x + N[0]")
    values = [1]
    single, mapped = client.submit(notebook.f, 1), client.map(lambda x, y: x + y[0], range(3), y=values)
    notebook.N[0] = values[0] = 100
    assert single.result(timeout=60) == 2
    assert client.gather(mapped) == [1, 2, 3]


# --- a copy for each task ----------------------------------------------------------------------------------------

TRACES = {
    "global variable": "count = 0\ndef f():\n    global count\n    count += 1\n    return count",
    "global variable of a helper": (
        "count = 0\ndef helper():\n    global count\n    count += 1\n    return count\ndef f(): return helper()"
    ),
    "global list": "seen = []\ndef f():\n    seen.append(1)\n    return len(seen)",
    "globals()": "def f():\n    names = globals()\n    names['n'] = names.get('n', 0) + 1\n    return names['n']",
    "exec": "n = 0\ndef f():\n    exec('n += 1', globals())\n    return n",
    "default": "def f(seen=[]):\n    seen.append(1)\n    return len(seen)",
    "keyword default": "def f(*, seen=[]):\n    seen.append(1)\n    return len(seen)",
    "attribute": "def f():\n    f.n = getattr(f, 'n', 0) + 1\n    return f.n",
    "attribute of a helper": (
        "def helper(): pass\ndef f():\n    helper.n = getattr(helper, 'n', 0) + 1\n    return helper.n"
    ),
    "dictionary of a helper": (
        "def helper(): pass\ndef f():\n    helper.__dict__['n'] = helper.__dict__.get('n', 0) + 1\n    return helper.n"
    ),
    "setattr": "def f():\n    setattr(f, 'n', getattr(f, 'n', 0) + 1)\n    return f.n",
    "defaults": "def f(n=0):\n    f.__defaults__ = (n + 1,)\n    return n + 1",
    "closure": (
        "def make():\n    n = 0\n    def f():\n        nonlocal n\n        n += 1\n        return n\n    return f\n"
        "f = make()"
    ),
    "closure of a nested function": (
        "def make():\n    n = 0\n    def f():\n        def inner():\n            nonlocal n\n            n += 1\n"
        "        inner()\n        return n\n    return f\nf = make()"
    ),
    "content of a closure": (
        "def make():\n    seen = []\n    def f():\n        seen.append(1)\n        return len(seen)\n    return f\n"
        "f = make()"
    ),
    "instance": "class P:\n    n = 0\n    def __call__(self):\n        self.n += 1\n        return self.n\nf = P()",
    "bound method": "class P:\n    n = 0\n    def m(self):\n        self.n += 1\n        return self.n\nf = P().m",
    "partial": "import functools\nf = functools.partial(lambda seen: seen.append(1) or len(seen), [])",
    "generator": "import functools\nf = functools.partial(next, iter([1, 2, 3, 4, 5, 6, 7, 8, 9]))",
    "method of a list": "f = [1, 2, 3, 4, 5, 6, 7, 8, 9].pop",
}


@pytest.mark.parametrize("trace", TRACES)
def test_no_task_sees_what_another_did_to_its_function(single: Any, trace: str) -> None:
    notebook = Notebook()
    notebook.run(TRACES[trace])
    expected = 9 if trace == "method of a list" else 1
    assert repeated(single, notebook.f) == {expected}


def test_no_task_sees_what_another_did_to_its_arguments(single: Any) -> None:
    def take(*args: Any, **kwargs: Any) -> Any:
        (value,) = (*args, *kwargs.values())
        return value.pop("mode", "gone")

    options = {"mode": "fast"}
    assert repeated(single, take, options) == {"fast"}
    assert repeated(single, take, o=options) == {"fast"}
    assert set(single.gather(single.map(lambda _, o: o.pop("mode", "gone"), range(TIMES), o=options))) == {"fast"}
    assert set(single.gather(single.map(take, [options] * TIMES, pure=False))) == {"fast"}
    with single.get_executor(pure=False) as executor:
        assert set(executor.map(lambda _: options.pop("mode", "gone"), range(TIMES))) == {"fast"}
    assert options == {"mode": "fast"}


def test_no_task_sees_what_another_did_to_an_array(single: Any) -> None:
    def bump(_: int, a: Any) -> float:
        a += 1
        return float(a[0])

    array = np.zeros(1_000)
    assert single.gather(single.map(bump, range(TIMES), a=array, pure=False)) == [1.0] * TIMES
    assert single.gather([single.submit(bump, i, a=array) for i in range(TIMES)]) == [1.0] * TIMES
    assert list(dask.compute(*[dask.delayed(bump)(i, array) for i in range(TIMES)])) == [1.0] * TIMES


def test_a_partial_of_the_same_function_is_another_one(single: Any) -> None:
    def collect(seen: list[int], value: int) -> int:
        seen.append(value)
        return len(seen)

    for _ in range(2):
        assert single.gather(single.map(functools.partial(collect, []), range(TIMES), pure=False)) == [1] * TIMES


def test_blocks_of_an_array_do_not_share_what_a_function_remembers(single: Any) -> None:
    import dask.array as da

    def count(block: Any, seen: list[int]) -> Any:
        seen.append(1)
        return block * 0 + len(seen)

    blocks = da.ones(12, chunks=3)
    assert blocks.map_blocks(count, seen=[], dtype=float, meta=np.array([])).compute().tolist() == [1.0] * 12


# --- modules that change -----------------------------------------------------------------------------------------


@pytest.fixture
def module(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function that has everybody have a module, which returns that."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / "module_of_values.py"

    def provide(number: int) -> Any:
        path.write_text(
            f"def value(): return {number}\n"
            f"class Holder:\n    def value(self): return {number}\n    @classmethod\n    def of(cls): return {number}\n"
        )
        importlib.invalidate_caches()
        if path.stem in sys.modules:
            importlib.reload(sys.modules[path.stem])
        client.upload_file(str(path))
        return importlib.import_module(path.stem)

    yield provide
    sys.modules.pop(path.stem, None)


def test_tasks_after_an_upload_see_what_was_uploaded(client: Any, module: Any) -> None:
    for number in (1, 2, 3):
        m = module(number)
        helper = m.value
        calls = {
            "function": m.value,
            "bound method": m.Holder().value,
            "class method": m.Holder.of,
            "partial": functools.partial(m.value),
            "attribute in a function": lambda m=m: m.value(),
            "module that is closed over": lambda: m.value(),  # noqa: B023
            "function that is closed over": lambda: helper(),  # noqa: B023
        }
        got: dict[str, set[int]] = {name: set() for name in calls}
        for name, call in calls.items():
            got[name].add(client.submit(call, pure=False).result(timeout=60))
            got[name].update(client.gather(client.map(lambda _, call=call: call(), range(TIMES), pure=False)))
            got[name].add(dask.delayed(call, pure=False)().compute())
        assert got == {name: {number} for name in calls}
