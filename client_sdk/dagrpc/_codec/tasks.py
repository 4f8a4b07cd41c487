"""Python tasks as bytes: what a client writes into `TaskSpec.run_spec` and a worker runs.

A run spec is one byte that names its form, then a pickle:

``C``  a call: ``(args, kwargs)``; the function is the task's first shared value
``T``  a dask `Task`: ``(func, args, kwargs, dependencies)``
``N``  any other dask graph node: ``(node, dependencies)``

where ``dependencies`` are the task's dependencies under their original keys, in the order of `TaskSpec.dependencies`,
or None if these are the same. Two kinds of reference stand inside the pickles as calls of functions of this module,
which look the value up while the task is being unpickled: `shared_value` for an object that many tasks of a graph
have in common (and that is sent once), and `dependency` for the result of another task.
"""

from __future__ import annotations

import builtins
import io
import pickle
import sys
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from types import BuiltinFunctionType, FunctionType
from typing import Any, TypeAlias

import cloudpickle
from dask._task_spec import GraphNode, Task, TaskRef

from dagrpc._codec import code_files, pickle5
from dagrpc._codec.fused import faster

Digest: TypeAlias = bytes

_CALL, _TASK, _NODE = b"C", b"T", b"N"
_SHARE_FROM = 200
"""Pickles shorter than this are repeated rather than shared: the reference alone takes 60 bytes."""


def digest_of(data: bytes) -> Digest:
    """Return the content hash of a shared value: the same wherever the code in it was written."""
    return blake2b(code_files.content(data), digest_size=16).digest()


# --- references inside run specs ---------------------------------------------------------------------------------

_context = threading.local()


def shared_value(digest: Digest) -> Any:
    """Return a shared value of the task that is being unpickled."""
    return _context.shared(digest)


def dependency(key: str) -> Any:
    """Return the result of a dependency of the task that is being unpickled."""
    return _context.results[key]


class DependencyRef:
    """Stands for the result of another task among the arguments of a call.

    Parameters
    ----------
    key : str
        The other task, as on the wire.
    """

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        self.key = key

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return dependency, (self.key,)


_encoding = threading.local()


def reference(key: str) -> tuple[Callable[[str], Any], tuple[str]] | None:
    """Return how a future is pickled that is met while a `GraphEncoder` works: as its result. None otherwise.

    Parameters
    ----------
    key : str
        The future's key, as on the wire; noted in `GraphEncoder.references`.
    """
    references: list[str] | None = getattr(_encoding, "references", None)
    if references is None:
        return None
    references.append(key)
    return dependency, (key,)


# --- functions of calls ------------------------------------------------------------------------------------------


class FunctionCache:
    """Digests of the functions that a client calls, most recently used last.

    Parameters
    ----------
    limit : int
        How many functions to keep.
    """

    def __init__(self, limit: int = 1_000) -> None:
        self._limit = limit
        # The function is kept beside its digest, so that its id stays its own.
        self._entries: OrderedDict[int, tuple[Callable[..., Any], Digest]] = OrderedDict()
        self._digests: Counter[Digest] = Counter()

    def get(self, function: Callable[..., Any]) -> Digest | None:
        """Return the digest of a function that is in the cache."""
        entry = self._entries.get(id(function))
        if entry is None:
            return None
        self._entries.move_to_end(id(function))
        return entry[1]

    def add(self, function: Callable[..., Any]) -> tuple[Digest, bytes | None, list[Digest]]:
        """Put a function into the cache.

        Returns
        -------
        tuple
            Its digest; its pickle, or None if an equal one is in the cache already; digests that left the cache.

        Raises
        ------
        Exception
            Whatever pickling the function raises.
        """
        data = pickle5.dumps_inband(function)
        digest = digest_of(data)
        self._digests[digest] += 1
        is_new = self._digests[digest] == 1
        # An object that can change, such as an instance with __call__, is put in each time that it is called.
        leaving = self._entries.pop(id(function), None)
        self._entries[id(function)] = (function, digest)
        if len(self._entries) > self._limit:
            _, leaving = self._entries.popitem(last=False)
        evicted = []
        if leaving is not None:
            old = leaving[1]
            self._digests[old] -= 1
            if not self._digests[old]:
                del self._digests[old]
                evicted.append(old)
        return digest, data if is_new else None, evicted


def encode_call(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
    """Return the run spec of a call whose function is the task's first shared value.

    Raises
    ------
    Exception
        Whatever pickling the arguments raises.
    """
    return _CALL + pickle5.dumps_inband((tuple(args), dict(kwargs) if kwargs else None))


# --- dask graphs -------------------------------------------------------------------------------------------------


class GraphEncoder:
    """Encodes the nodes of one dask graph, storing what they have in common once.

    An object that two tasks refer to is shared from its second appearance on.
    """

    def __init__(self) -> None:
        self.shared: dict[Digest, bytes] = {}
        """All shared values so far."""
        self._digests: dict[int, Digest | None] = {}
        """By id of an object: its digest, or None if it is too small to be shared."""
        self._seen: dict[int, Any] = {}
        """Objects that appeared, kept so that their ids stay theirs."""
        self._used: dict[Digest, None] = {}
        self.references: list[str] = []
        """Keys of the futures in the node that was encoded last; its dependencies beside those of the graph."""

    def encode(self, node: GraphNode, original: tuple[Any, ...] | None) -> tuple[bytes, tuple[Digest, ...]]:
        """Return the run spec of a node and the digests that it refers to.

        Parameters
        ----------
        node : dask._task_spec.GraphNode
            The node.
        original : tuple or None
            The keys of its dependencies as they stand in it; None if they are equal to those on the wire.

        Raises
        ------
        Exception
            Whatever pickling the node raises.
        """
        form: bytes
        content: tuple[Any, ...]
        if type(node) is Task:
            form, content = _TASK, (node.func, node.args, node.kwargs or None, original)
        else:
            form, content = _NODE, (node, original)
        self._used = {}
        self.references = _encoding.references = []
        buffer = io.BytesIO()
        buffer.write(form)
        try:
            _TaskPickler(buffer, self).dump(content)
            data = buffer.getvalue()
        except Exception:
            self._used = {}
            data = form + pickle5.by_value(content)
        finally:
            _encoding.references = None
        return data, tuple(self._used)

    def reduce(self, obj: Any) -> Any:
        """Return how to pickle an object that is not of a built-in type."""
        kind = type(obj)
        if pickle5.reduce_registered is not None:
            reduced = pickle5.reduce_registered(obj)
            if reduced is not NotImplemented:
                return reduced
        if kind is FunctionType or isinstance(obj, type):
            if _importable(obj):
                return NotImplemented
        elif kind is BuiltinFunctionType or kind is TaskRef:
            return NotImplemented
        else:
            identity = id(obj)
            if identity not in self._seen:
                self._seen[identity] = obj
                return NotImplemented
        digest = self._share(obj)
        if digest is None:
            return NotImplemented
        self._used[digest] = None
        return shared_value, (digest,)

    def _share(self, obj: Any) -> Digest | None:
        identity = id(obj)
        if identity in self._digests:
            return self._digests[identity]
        self._seen[identity] = obj
        references = len(self.references)
        data = pickle5.dumps_inband(obj)
        by_value = isinstance(obj, (FunctionType, type))
        digest = digest_of(data) if by_value or len(data) >= _SHARE_FROM else None
        if len(self.references) > references:
            # With a future inside, it is another value in each run.
            digest = None
        self._digests[identity] = digest
        if digest is not None:
            self.shared[digest] = data
        return digest


class _TaskPickler(pickle.Pickler):
    def __init__(self, buffer: io.BytesIO, encoder: GraphEncoder) -> None:
        super().__init__(buffer, protocol=5)
        # Looked up by the pickler for each object of a type that it does not know.
        self.reducer_override = encoder.reduce  # type: ignore[method-assign]


def _importable(obj: Any) -> bool:
    """Return whether a worker can import a function or class by its name."""
    module_name = getattr(obj, "__module__", None)
    if module_name == "builtins":
        return hasattr(builtins, obj.__qualname__)
    if module_name is None or module_name == "__main__" or module_name in cloudpickle.list_registry_pickle_by_value():
        return False
    found: Any = sys.modules.get(module_name)
    for part in obj.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is obj


# --- on the worker -----------------------------------------------------------------------------------------------


class SharedValueGone(KeyError):
    """A shared value is not here: the scheduler frees it once it wants no task any more that uses it."""


class SharedStore:
    """The shared values that a worker holds. Functions are unpickled once, other values anew for each task.

    A value that a task could change must not be seen by another, hence the difference; callables are assumed not to
    be changed, as in distributed.
    """

    def __init__(self) -> None:
        self._data: dict[Digest, bytes] = {}
        self._loaded: dict[Digest, Any] = {}

    def put(self, digest: Digest, data: bytes) -> None:
        """Keep a value."""
        self._data[digest] = data

    def discard(self, digest: Digest) -> None:
        """Drop a value."""
        self._data.pop(digest, None)
        self._loaded.pop(digest, None)

    def clear(self) -> None:
        """Drop all values."""
        self._data.clear()
        self._loaded.clear()

    def load(self, digest: Digest) -> Any:
        """Return a value.

        Raises
        ------
        SharedValueGone
            If it is not here.
        """
        try:
            return self._loaded[digest]
        except KeyError:
            data = self._data.get(digest)
            if data is None:
                raise SharedValueGone(digest) from None
            value = pickle.loads(data)
            if callable(value):
                self._loaded[digest] = value
            return value


def load_task(
    run_spec: bytes, shared: Sequence[Digest], store: SharedStore, results: Mapping[str, Any]
) -> tuple[Callable[..., Any], Sequence[Any], Mapping[str, Any]]:
    """Return function and arguments of a task, dependencies filled in.

    Parameters
    ----------
    run_spec : bytes
        As made by `encode_call` or `GraphEncoder.encode`.
    shared : sequence of bytes
        Digests of the task's shared values.
    store : SharedStore
        Where they are.
    results : mapping
        The dependencies' results by key as on the wire, in the order of `TaskSpec.dependencies`.

    Raises
    ------
    Exception
        Whatever unpickling raises: a missing import, for instance.
    """
    outer = getattr(_context, "shared", None), getattr(_context, "results", None)
    _context.shared, _context.results = store.load, results
    try:
        form = run_spec[:1]
        content = pickle.loads(memoryview(run_spec)[1:])
        if form == _CALL:
            args, kwargs = content
            return store.load(shared[0]), args, kwargs or {}
    finally:
        _context.shared, _context.results = outer
    if form == _TASK:
        function, args, kwargs, original = content
        function = faster(function)
        values = _by_original(results, original)
        kwargs = kwargs or {}
        if any(isinstance(arg, GraphNode) for arg in args) or any(
            isinstance(arg, GraphNode) for arg in kwargs.values()
        ):
            # What is nested in the task is the user's code too: it runs when the task does, not while it is loaded.
            return _call_nested, (function, args, kwargs, values), {}
        return function, [_evaluate(arg, values) for arg in args], _evaluate_all(kwargs, values)
    node, original = content
    return node, (_by_original(results, original),), {}


def _by_original(results: Mapping[str, Any], original: tuple[Any, ...] | None) -> Mapping[Any, Any]:
    return results if original is None else dict(zip(original, results.values(), strict=True))


def _call_nested(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], values: Mapping[Any, Any]
) -> Any:
    """Run the tasks that are arguments of a task, and then the task itself."""
    return function(*[_evaluate(arg, values) for arg in args], **_evaluate_all(kwargs, values))


def _evaluate_all(kwargs: Mapping[str, Any], values: Mapping[Any, Any]) -> Mapping[str, Any]:
    return {name: _evaluate(arg, values) for name, arg in kwargs.items()} if kwargs else kwargs


def _evaluate(arg: Any, values: Mapping[Any, Any]) -> Any:
    if isinstance(arg, GraphNode):
        return arg(values)
    if isinstance(arg, TaskRef):
        return values[arg.key]
    return arg
