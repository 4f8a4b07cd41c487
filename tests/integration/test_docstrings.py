"""Every public name has a docstring with an example, and every example works as printed."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import importlib
import inspect
import io
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd
import pytest

import dagrpc
from dagrpc import Client, LocalCluster
from tests.contract import api_table

ROOT = Path(__file__).parents[2]
SOURCES = ("client_sdk", "deploy", "scheduler_service", "worker_service")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

WITHOUT_EXAMPLE = {
    "CancelledError": "of concurrent.futures",
    "Client.asynchronous": "in the example of Client",
    "Client.dashboard_link": "in the example of Client",
    "Client.loop": "in the example of Client",
    "Client.scheduler": "in the example of Client",
    "Client.status": "in the example of Client",
    "DockerCluster": "has an example that is not run: it needs a Docker engine",
    "KubeCluster": "has an example that is not run: it needs a Kubernetes cluster",
    "SSHCluster": "has an example that is not run: there is no other machine",
    "TimeoutError": "Python's own",
    "__version__": "a string",
}
"""The public names that need no example, with the reason."""

INTERNAL = {
    "ActorFuture": ["bound_state"],
    "Future": ["bound_state"],
    "FuturesCancelledError": ["of"],
    "LocalCluster": ["start_worker"],
    "Nanny": ["of"],
    "Scheduler": ["of"],
    "Security": ["fields", "fields_for", "of", "pem", "without_tls"],
    "Worker": ["of"],
    "as_completed": ["next", "wake"],
}
"""The methods that are not for users, by class."""

MODULES = {
    "dagrpc.cluster_dump": ["read_dump", "write_dump"],
    "dagrpc.diagnostics": [],
    "dagrpc.plugins": [],
    "dagrpc.protocol": ["cuda_deserialize", "cuda_serialize"],
    "dagrpc.shuffle": [],
    "dagrpc.spans": [],
}
"""Modules with public names of their own, and those of their names that are not for users, or want a GPU."""

pytestmark = pytest.mark.timeout(60)


def inc(x: Any) -> Any:
    """Return one more."""
    return x + 1


def add(x: Any, y: Any) -> Any:
    """Return the sum."""
    return x + y


@dataclass(frozen=True)
class Documented:
    """A docstring with examples."""

    module: str
    name: str
    text: str
    path: Path
    line: int


def _documented_in(path: Path, module: str) -> Iterator[Documented]:
    """Yield the docstrings with examples of a file. It is read and not imported: this is done for every test run."""

    def below(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[Documented]:
        for each in node.body:
            if isinstance(each, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(each) or ""
                if ">>>" in text:
                    yield Documented(module, prefix + each.name, text, path, each.body[0].lineno - 1)
            if isinstance(each, ast.ClassDef):
                yield from below(each, f"{prefix}{each.name}.")

    source = path.read_text(encoding="utf-8")
    if ">>>" in source:
        tree = ast.parse(source)
        text = ast.get_docstring(tree) or ""
        if ">>>" in text:
            yield Documented(module, "", text, path, 0)
        yield from below(tree, "")


def _documented() -> Iterator[Documented]:
    """Yield the docstrings with examples of the whole project."""
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            yield from _documented_in(path, ".".join(parts).removesuffix(".__init__"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """The cluster in this process that the examples use."""
    with LocalCluster(n_workers=2, threads_per_worker=2, processes=False, memory_limit=0) as cluster:
        yield cluster


def _is_asynchronous(source: str) -> bool:
    """Return whether an example awaits something outside of a function."""
    try:
        compile(source, "<example>", "single")
    except SyntaxError:
        with contextlib.suppress(SyntaxError):
            compile(source, "<example>", "single", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            return True
    return False


@contextlib.contextmanager
def _on_one_event_loop(test: doctest.DocTest) -> Iterator[None]:
    """Let examples await, as they may in a notebook."""
    if not any(_is_asynchronous(example.source) for example in test.examples):
        yield
        return
    with asyncio.Runner() as runner:

        async def evaluate(function: types.FunctionType) -> None:
            outcome = function()
            if inspect.iscoroutine(outcome):
                await outcome

        def run(source: str) -> None:
            code = compile(source, "<example>", "single", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            runner.run(evaluate(types.FunctionType(code, test.globs)))

        test.globs["run_example"] = run
        for example in test.examples:
            example.source = f"run_example({example.source!r})\n"
        yield


def _names_for(documented: Documented, cluster: LocalCluster, client: Client) -> dict[str, Any]:
    """Return the names that the examples of a docstring may use without an import."""
    module = importlib.import_module(documented.module)
    names = {name: thing for name, thing in vars(module).items() if not name.startswith("__")}
    names |= {name: getattr(dagrpc, name) for name in dagrpc.__all__}
    names.pop("print", None)
    names |= {"__name__": "__main__", "dask": dask, "np": np, "pd": pd, "inc": inc, "add": add}
    return {**names, "cluster": cluster, "client": client}


@pytest.mark.parametrize(
    "documented", [pytest.param(each, id=f"{each.module}.{each.name}".rstrip(".")) for each in _documented()]
)
def test_the_examples_of_a_docstring_work_as_printed(
    documented: Documented, cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = io.StringIO()
    with Client(cluster) as client:
        names = _names_for(documented, cluster, client)
        parse = doctest.DocTestParser().get_doctest
        test = parse(
            documented.text, names, documented.name or documented.module, str(documented.path), documented.line
        )
        with _on_one_event_loop(test):
            results = doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=report.write, clear_globs=False)
    assert results.attempted > 0
    assert results.failed == 0, report.getvalue()


def _examples(thing: Any) -> str:
    """Return the examples of a docstring."""
    text = inspect.getdoc(thing) or ""
    return "".join(example.source for example in doctest.DocTestParser().get_examples(text))


def _public_methods(owner: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods of a class that are the project's, without those of plugins, which it calls itself."""
    if any("Plugin" in base.__name__ or base is dagrpc.UploadFile for base in owner.__mro__):
        return
    for name in dir(owner):
        thing = inspect.getattr_static(owner, name)
        function = getattr(thing, "__func__", thing)
        if not name.startswith("_") and inspect.isfunction(function) and function.__module__.startswith("dagrpc"):
            yield name, function


def test_every_public_name_has_an_example() -> None:
    public: dict[str, Any] = {name: getattr(dagrpc, name) for name in dagrpc.__all__}
    for owner, members in api_table.MEMBERS.items():
        cls = getattr(dagrpc, owner)
        public |= {f"{owner}.{name}": inspect.getattr_static(cls, name) for name in members if hasattr(cls, name)}
    without = {name for name, thing in public.items() if not _examples(thing)}
    assert sorted(without) == sorted(WITHOUT_EXAMPLE)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_of_a_module_is_in_an_example(name: str) -> None:
    # Its own, or that of the module.
    module = importlib.import_module(name)
    shown = re.findall(r"\w+", _examples(module))
    things = {each: getattr(module, each) for each in module.__all__ if not inspect.ismodule(getattr(module, each))}
    without = [each for each, thing in things.items() if not _examples(thing) and each not in shown]
    assert sorted(without) == list(MODULES[name])


@pytest.mark.parametrize("owner", [name for name in dagrpc.__all__ if isinstance(getattr(dagrpc, name), type)])
def test_every_public_method_is_in_an_example(owner: str) -> None:
    # Its own, or that of its class.
    cls = getattr(dagrpc, owner)
    shown = re.findall(r"(?:\.|def )(\w+)[(),]", _examples(cls))
    without = [name for name, method in _public_methods(cls) if not _examples(method) and name not in shown]
    assert without == [name for name in INTERNAL.get(owner, ()) if hasattr(cls, name)]


def test_no_example_is_skipped() -> None:
    mark = "doctest: +" + "SKIP"
    sources = [path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")]
    assert [str(path) for path in sources if mark in path.read_text(encoding="utf-8")] == []
