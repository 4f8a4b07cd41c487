"""Encodes the tasks of a dask graph, and stores objects that several tasks share only once.

From its second appearance on, an object is pickled separately as a shared value. A task then consists of its own pickle
and the pickles of its shared values. An object in two of these pickles would become two objects (see `contents`), so it
also becomes a shared value, to which both pickles refer. If this is impossible, for instance since two objects refer to
each other, the task is a single pickle.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from itertools import combinations
from types import BuiltinFunctionType, FunctionType
from typing import Any

from dask._task_spec import GraphNode, Task, TaskRef

from dagrpc._codec import forms, pickle5
from dagrpc._codec.cached_functions import CachedFunction
from dagrpc._codec.contents import Contents, noted_contents, proven_contents
from dagrpc._codec.dask_tasks import PARTS
from dagrpc._codec.importing import importable
from dagrpc._codec.proofs import prove
from dagrpc._codec.references import Digest, digest_of, noting_references, shared_value

_SHARE_FROM = 200
"""Smallest pickle, in bytes, that becomes a shared value, since a reference alone takes 60 bytes."""
_ATTEMPTS = 6
"""Maximum number of times a task is pickled to find the objects that must be shared values."""
_ONE_BY_ONE = 3
"""Number of these attempts that make only the first common object a shared value, since others may be parts of it."""
_FUNCTIONS = (FunctionType, CachedFunction)
_NOT_ASKED_ABOUT = frozenset((dict, list, set, bytearray))
"""Types with identity for which picklers do not call `GraphEncoder.reduce`, since pickle handles them itself."""
_LARGE = 1 << 16
"""Size of a pickle, in bytes, after which its pickler is not reused, since a pickler's memo never shrinks."""


class _Unit:
    """A shared value: an object that has a pickle of its own.

    Parameters
    ----------
    root : object
        The object.
    digest : bytes
        Content hash of its pickle.
    number : int
        Distinguishes the object from other objects with an equal pickle.
    contents : Contents
        The objects in its pickle.
    units : tuple of _Unit
        The shared values that its pickle refers to, directly or through other shared values.
    """

    __slots__ = ("contents", "digest", "number", "root", "units")

    def __init__(self, root: Any, digest: Digest, number: int, contents: Contents, units: tuple[_Unit, ...]) -> None:
        self.root = root
        self.digest = digest
        self.number = number
        self.contents = contents
        self.units = units

    @property
    def name(self) -> tuple[Any, ...]:
        """The arguments with which a reference calls `shared_value`."""
        if self.units:
            return self.digest, self.number, True
        return (self.digest, self.number) if self.number else (self.digest,)


class _Inseparable(BaseException):
    """Two objects that should become shared values refer to each other."""


class GraphEncoder:
    """Encodes the nodes of one dask graph."""

    def __init__(self) -> None:
        self.shared: dict[Digest, bytes] = {}
        """All shared values so far."""
        self.references: list[str] = []
        """Keys of the futures in the node encoded last; they are dependencies besides the graph's own."""
        self._seen: dict[int, Any] = {}
        """Objects that appeared, by id; the references keep other objects from getting the ids."""
        self._names: dict[int, bool] = {}
        """Whether a function or class is pickled by name, by its id."""
        self._units: dict[int, _Unit | None] = {}
        """The shared value of each object that appeared twice, by id; None for an object too small to be shared."""
        self._roots: dict[Digest, list[int]] = {}
        """The ids of the objects that have the same pickle."""
        self._used: dict[_Unit, None] = {}
        """Shared values that the current pickle refers to."""
        self._making: list[int] = []
        """Ids of the objects that are being pickled as shared values, each inside the previous one."""
        self._apart: set[int] = set()
        """Ids of the objects that must be shared values wherever they appear."""
        self._together: set[int] = set()
        """Ids of the objects that cannot be shared values."""
        self._checked: set[tuple[_Unit, ...]] = set()
        """Combinations of shared values that are known to have no object in common."""
        self._inside: set[int] = set()
        """Ids of the objects in shared values about which a pickler asks."""
        self._in_doubt = False
        """Whether the current pickle may contain objects that shared values contain as well."""
        self._always_in_doubt = False
        """Whether there are objects in shared values about which a pickler does not ask."""
        self._noting = noting_references(self.references)
        self._picklers: list[_TaskPickler] = []
        """The pickler used last, which the next node reuses."""

    def encode(self, node: GraphNode, original: tuple[Any, ...] | None) -> tuple[bytes, tuple[Digest, ...]]:
        """Return the run spec of a node and the digests that it refers to.

        Parameters
        ----------
        node : dask._task_spec.GraphNode
            The node.
        original : tuple or None
            The keys of its dependencies as the node has them; None if they equal the wire keys.

        Raises
        ------
        Exception
            Any exception that pickling the node raises.
        """
        form: bytes
        content: tuple[Any, ...]
        if type(node) is Task:
            form, content = forms.TASK, (node.func, node.args, node.kwargs or None, original)
        else:
            form, content = forms.NODE, (node, original)
        self.references.clear()
        with self._noting:
            encoded = self._in_pieces(form, content)
            if encoded is None:
                encoded = form + pickle5.by_value(content), ()
        return encoded

    def _in_pieces(self, form: bytes, content: tuple[Any, ...]) -> tuple[bytes, tuple[Digest, ...]] | None:
        """Return a run spec that refers to shared values; None if the node must be a single pickle."""
        for attempt in range(_ATTEMPTS):
            pickler = self._picklers.pop() if self._picklers and not self._apart else _TaskPickler(self)
            self._used = {}
            self._in_doubt = self._always_in_doubt or bool(self._apart)
            try:
                data = pickler.pickled(form, content)
            except _Inseparable:
                return None
            # cloudpickle may succeed where this pickler fails, and its errors are more helpful.
            except Exception:
                self._making.clear()
                return None
            units = self._all_used() if self._used else ()
            common = self._in_common(pickler, units) if units else ()
            if common is None:
                return None
            if not common:
                if self._apart:
                    data = forms.REFERRING[form] + data[len(form) :]
                elif len(data) < _LARGE:
                    self._picklers.append(pickler)
                return data, tuple(dict.fromkeys([unit.digest for unit in units])) if units else ()
            if not self._take_apart(common, all_of_them=attempt >= _ONE_BY_ONE):
                return None
        return None

    # --- called by picklers --------------------------------------------------------------------------------------

    def reduce(self, obj: Any) -> Any:
        """Return the reduction of an object in a task, for types that pickle does not handle itself."""
        kind = type(obj)
        if pickle5.reduce_registered is not None:
            reduced = pickle5.reduce_registered(obj)
            if reduced is not NotImplemented:
                return reduced
        if kind is TaskRef:
            return TaskRef, (obj.key,)
        identity = id(obj)
        if kind in _FUNCTIONS or isinstance(obj, type):
            known = self._names.get(identity)
            if known or (known is None and self._by_name(obj)):
                return NotImplemented
        elif kind is BuiltinFunctionType:
            return NotImplemented
        elif identity not in self._seen:
            self._seen[identity] = obj
            return self._inlined(obj, kind, identity)
        unit = self._unit(obj)
        if unit is None:
            return self._inlined(obj, kind, identity)
        self._used[unit] = None
        return shared_value, unit.name

    def _inlined(self, obj: Any, kind: type, identity: int) -> Any:
        if identity in self._inside:
            self._in_doubt = True
        parts_of = PARTS.get(kind)
        return NotImplemented if parts_of is None else parts_of(obj)

    def _by_name(self, obj: Any) -> bool:
        self._seen[id(obj)] = obj
        known = self._names[id(obj)] = importable(obj)
        return known

    def refer(self, obj: Any) -> tuple[Any, ...] | None:
        """Return the reference to an object that must be a shared value; None for other objects."""
        identity = id(obj)
        if identity not in self._apart or (self._making and self._making[-1] == identity):
            return None
        if identity in self._making:
            self._together.update(self._making)
            self._apart.difference_update(self._making)
            self._making.clear()
            raise _Inseparable
        unit = self._unit(obj)
        if unit is None:
            return None
        self._used[unit] = None
        return unit.name

    # --- shared values -------------------------------------------------------------------------------------------

    def _unit(self, obj: Any) -> _Unit | None:
        identity = id(obj)
        if identity not in self._units:
            self._seen[identity] = obj
            self._units[identity] = self._make_unit(obj)
        return self._units[identity]

    def _make_unit(self, obj: Any) -> _Unit | None:
        references = len(self.references)
        used, self._used = self._used, {}
        self._making.append(id(obj))
        # The proof comes before the pickle, so that a change during pickling invalidates the proof.
        proof = prove(obj) if callable(obj) and not isinstance(obj, type) else None
        pickled = pickle5.dumps_noting(obj, self.refer if self._apart else None, PARTS)
        data = pickled.data
        self._making.pop()
        self._used, inner = used, self._used
        if len(self.references) > references:
            # An object that contains a future has a different value in each run.
            return None
        small = len(data) < _SHARE_FROM and not isinstance(obj, (*_FUNCTIONS, type))
        if small and id(obj) not in self._apart:
            return None
        units = tuple(dict.fromkeys(part for unit in inner for part in (unit, *unit.units)))
        contents = noted_contents(pickled.memo()) if proof is None else proven_contents(proof)
        self._note_inside(obj, contents)
        digest = digest_of(data)
        self.shared[digest] = data
        roots = self._roots.setdefault(digest, [])
        roots.append(id(obj))
        return _Unit(obj, digest, len(roots) - 1, contents, units)

    def _note_inside(self, root: Any, contents: Contents) -> None:
        # What is in there may be in what has been pickled of the task so far.
        self._in_doubt = True
        if not contents.has_data:
            return
        for obj in contents:
            if type(obj) in _NOT_ASKED_ABOUT:
                self._always_in_doubt = True
            elif obj is not root:
                self._inside.add(id(obj))

    def _all_used(self) -> tuple[_Unit, ...]:
        """Return the shared values that the current pickle refers to, directly or through other shared values."""
        if not self._apart:
            return tuple(self._used)
        return tuple(dict.fromkeys(part for unit in self._used for part in (unit, *unit.units)))

    def _in_common(self, pickler: pickle.Pickler, units: tuple[_Unit, ...]) -> Sequence[Any] | None:
        """Return the objects that several pickles of a task contain; None if they cannot be separated."""
        found: list[Any] = []
        if self._in_doubt and any(unit.contents.has_data for unit in units):
            own = pickler.memo.copy()
            for unit in self._used:
                # The pickle only refers to the root.
                own.pop(id(unit.root), None)
            for unit in units:
                found += unit.contents.among(own.keys())
        if len(units) > 1 and units not in self._checked:
            for first, second in combinations(units, 2):
                if first.contents.shares_variables(second.contents):
                    return None
                found += first.contents.common(second.contents)
            if not found:
                self._checked.add(units)
        return found

    def _take_apart(self, common: Sequence[Any], all_of_them: bool) -> bool:
        """Make objects shared values from now on. Return whether this is possible for any of them."""
        able = [obj for obj in common if id(obj) not in self._together and type(obj) not in _FUNCTIONS]
        if not able:
            return False
        apart = able if all_of_them else able[:1]
        for obj in apart:
            self._seen[id(obj)] = obj
        self._apart.update(map(id, apart))
        stale = {
            unit
            for unit in self._units.values()
            if unit is not None and any(unit.contents.has(obj) and unit.root is not obj for obj in apart)
        }
        for identity, unit in list(self._units.items()):
            if unit is None or unit in stale or not stale.isdisjoint(unit.units):
                del self._units[identity]
        return True


class _TaskPickler(pickle.Pickler):
    """Pickles the contents of nodes, one after the other."""

    def __init__(self, encoder: GraphEncoder) -> None:
        self._buffer = io.BytesIO()
        super().__init__(self._buffer, protocol=5)
        # The pickler reads this attribute for each object of a type that it does not handle itself.
        self.reducer_override = encoder.reduce  # type: ignore[method-assign]
        if encoder._apart:
            self.persistent_id = encoder.refer  # type: ignore[method-assign]

    def pickled(self, form: bytes, content: tuple[Any, ...]) -> bytes:
        """Return a form and a pickle."""
        self.clear_memo()
        buffer = self._buffer
        buffer.seek(0)
        buffer.truncate()
        buffer.write(form)
        self.dump(content)
        return buffer.getvalue()
