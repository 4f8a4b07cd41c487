"""Decodes run specs on workers: returns a task's function and arguments, with the results of its dependencies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dask._task_spec import GraphNode, TaskRef

from dagrpc._codec import forms
from dagrpc._codec.fused import faster
from dagrpc._codec.references import Digest, Reading, thread_state, unpickled
from dagrpc._codec.shared_store import SharedStore

_TASKS = frozenset((forms.TASK, forms.REFERRING[forms.TASK]))
_REFERRING = frozenset(forms.REFERRING.values())


def load_task(
    run_spec: bytes, shared: Sequence[Digest], store: SharedStore, results: Mapping[str, Any]
) -> tuple[Callable[..., Any], Sequence[Any], Mapping[str, Any]]:
    """Return the function and the arguments of a task, with the results of its dependencies.

    Parameters
    ----------
    run_spec : bytes
        A run spec from `encode_call` or `GraphEncoder.encode`.
    shared : sequence of bytes
        Digests of the task's shared values.
    store : SharedStore
        The store of the shared values.
    results : mapping
        The results of the dependencies by wire key, in the order of `TaskSpec.dependencies`.

    Raises
    ------
    Exception
        Any exception that unpickling raises, for instance of a missing module.
    """
    form = run_spec[:1]
    # A context manager would add a tenth to the time.
    outer = getattr(thread_state, "reading", None)
    thread_state.reading = Reading(store.load, results)
    try:
        content = unpickled(memoryview(run_spec)[1:], form in _REFERRING)
        if form == forms.CALL:
            args, kwargs = content
            return store.load(shared[0]), args, kwargs or {}
    finally:
        thread_state.reading = outer
    if form == forms.CALL_WITH_FUNCTION:
        function, args, kwargs = content
        return function, args, kwargs or {}
    if form in _TASKS:
        function, args, kwargs, original = content
        function = faster(function)
        values = _by_original(results, original)
        kwargs = kwargs or {}
        if _has_nodes(args) or (kwargs and _has_nodes(kwargs.values())):
            # Nested tasks are user code as well, so they run with the task, not while it is loaded.
            return _call_nested, (function, args, kwargs, values), {}
        return (
            function,
            [values[arg.key] if isinstance(arg, TaskRef) else arg for arg in args],
            _evaluate_all(kwargs, values),
        )
    node, original = content
    return node, (_by_original(results, original),), {}


def _by_original(results: Mapping[str, Any], original: tuple[Any, ...] | None) -> Mapping[Any, Any]:
    return results if original is None else dict(zip(original, results.values(), strict=True))


def _has_nodes(values: Iterable[Any]) -> bool:
    for value in values:  # noqa: SIM110 - a generator takes twice as long, for each task
        if isinstance(value, GraphNode):
            return True
    return False


def _call_nested(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], values: Mapping[Any, Any]
) -> Any:
    """Run the nested tasks among the arguments of a task, and then the task itself."""
    return function(*[_evaluate(arg, values) for arg in args], **_evaluate_all(kwargs, values))


def _evaluate_all(kwargs: Mapping[str, Any], values: Mapping[Any, Any]) -> Mapping[str, Any]:
    return {name: _evaluate(arg, values) for name, arg in kwargs.items()} if kwargs else kwargs


def _evaluate(arg: Any, values: Mapping[Any, Any]) -> Any:
    if isinstance(arg, GraphNode):
        return arg(values)
    if isinstance(arg, TaskRef):
        return values[arg.key]
    return arg
