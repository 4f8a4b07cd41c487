"""The shared values that a worker holds: what tasks have in common, unpickled for each of them or, if proven, once."""

from __future__ import annotations

from typing import Any

from dagrpc._codec import code_files
from dagrpc._codec.dask_tasks import TEMPLATES, TaskTemplate
from dagrpc._codec.proofs import Proof, prove
from dagrpc._codec.references import Digest, unpickled


class SharedValueGone(KeyError):
    """A shared value is not here: the scheduler frees it once it wants no task any more that uses it."""


class SharedStore:
    """Shared values by their digests.

    No task may see what another did to a value. So each gets one of its own, unless it is proven that nobody can have
    changed the one that is there, and that calling it leaves no traces: see `proofs`. Tasks of dask can always be
    changed: where such values are all that is in them, others are made.
    """

    def __init__(self) -> None:
        self._data: dict[Digest, bytes | memoryview] = {}
        self._kept: dict[Digest, tuple[Any, Proof]] = {}
        self._changing: set[Digest] = set()
        """Those of which each task gets one of its own."""

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

    def load(self, digest: Digest, refers: bool = False) -> Any:
        """Return a value.

        Parameters
        ----------
        digest : bytes
            Its content hash.
        refers : bool
            Whether there are references to other shared values in it.

        Raises
        ------
        SharedValueGone
            If it is not here.
        """
        kept = self._kept.get(digest)
        if kept is not None:
            value, proof = kept
            if proof.holds():
                return value.make() if type(value) is TaskTemplate else value
            del self._kept[digest]
            if proof.own:
                # In a way that nobody could see in its code.
                self._changing.add(digest)
        data = self._data.get(digest)
        if data is None:
            raise SharedValueGone(digest)
        value = unpickled(data, refers)
        return value if digest in self._changing else self._considered(digest, value, data, refers)

    def _considered(self, digest: Digest, value: Any, data: bytes | memoryview, refers: bool) -> Any:
        """Decide whether a value can be for more than one task. Return what is for the first of them."""
        if not refers:
            template = TaskTemplate(value) if type(value) in TEMPLATES else None
            proof = prove(value if template is None else template.what_it_has())
            if proof is not None and not proof.leaves_traces:
                self._kept[digest] = (value if template is None else template, proof)
                return value if template is None else template.make()
        self._changing.add(digest)
        if digest in self._data:
            # Where its code was written need be told only once.
            self._data[digest] = code_files.content(data)
        return value
