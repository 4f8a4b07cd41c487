"""The shared values that a worker holds. A value is unpickled for each task, or once if nobody can have changed it."""

from __future__ import annotations

from typing import Any

from dagrpc._codec import code_files
from dagrpc._codec.dask_tasks import TEMPLATES, TaskTemplate
from dagrpc._codec.proofs import Proof, prove
from dagrpc._codec.references import Digest, unpickled


class SharedValueGone(KeyError):
    """A worker does not have a shared value; the scheduler frees a value when no wanted task uses it."""


class SharedStore:
    """Shared values by digest.

    No task may see a change that another task made to a value. Each task therefore gets a copy, unless it is proven
    that nobody can have changed the stored value and that a call of the value does not change it (see `proofs`). Task
    objects of dask can always be changed. If the proof holds for their contents, each task gets one from a template.
    """

    def __init__(self) -> None:
        self._data: dict[Digest, bytes | memoryview] = {}
        self._kept: dict[Digest, tuple[Any, Proof]] = {}
        self._changing: set[Digest] = set()
        """Digests of the values of which each task gets a copy."""

    def put(self, digest: Digest, data: bytes) -> None:
        """Keep a value."""
        self._data[digest] = data

    def discard(self, digest: Digest) -> None:
        """Drop a value."""
        self._data.pop(digest, None)
        self._kept.pop(digest, None)
        self._changing.discard(digest)

    def clear(self) -> None:
        """Drop all values."""
        self._data.clear()
        self._kept.clear()
        self._changing.clear()

    def load(self, digest: Digest, refers: bool = False, copy: bool = False) -> Any:
        """Return the value with a digest; `refers` says whether its pickle refers to other shared values.

        With `copy`, it is an object that nobody else has.

        Raises
        ------
        SharedValueGone
            If the store does not have the value.
        """
        kept = None if copy else self._kept.get(digest)
        if kept is not None:
            value, proof = kept
            if proof.holds():
                return value.make() if type(value) is TaskTemplate else value
            del self._kept[digest]
            if proof.own:
                # The value changed in a way that the analysis of its code had not found.
                self._changing.add(digest)
        data = self._data.get(digest)
        if data is None:
            raise SharedValueGone(digest)
        value = unpickled(data, refers)
        return value if copy or digest in self._changing else self._considered(digest, value, data, refers)

    def _considered(self, digest: Digest, value: Any, data: bytes | memoryview, refers: bool) -> Any:
        """Decide whether several tasks can use a value, and return the object for the first task."""
        if not refers:
            template = TaskTemplate(value) if type(value) in TEMPLATES else None
            proof = prove(value if template is None else template.what_it_has())
            if proof is not None and not proof.leaves_traces:
                self._kept[digest] = (value if template is None else template, proof)
                return value if template is None else template.make()
        self._changing.add(digest)
        if digest in self._data:
            # The files of its code are needed only once.
            self._data[digest] = code_files.content(data)
        return value
