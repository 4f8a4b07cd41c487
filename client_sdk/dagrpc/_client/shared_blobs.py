"""Shared blobs of a client on the scheduler: functions of calls, and values that tasks of a graph have in common."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from dagrpc._client.arguments import check_size, warn_if_large
from dagrpc._client.call_tokens import function_name
from dagrpc._client.client_session import ClientSession
from dagrpc._client.commands import HoldShared, ReleaseShared
from dagrpc._codec.functions import FunctionCache, PickledFunction
from dagrpc._codec.references import Digest

_FUNCTIONS = 1_000
"""Functions that the scheduler holds at most, so that repeated calls do not send the function again."""
_FUNCTION_BYTES = 64 << 20
"""Bytes of these functions at most, without the last one."""


class SharedBlobs:
    """The shared blobs of a client, with reference counts."""

    def __init__(self, session: ClientSession) -> None:
        self.lock = threading.RLock()
        """Held from storing a blob until the tasks that refer to it are queued."""
        self._session = session
        self._held: Counter[Digest] = Counter()
        self._cache = FunctionCache()
        # Sizes of the stored functions, most recently called last.
        self._functions: OrderedDict[Digest, int] = OrderedDict()
        self._function_bytes = 0
        session.on_renewal = self.renew

    def renew(self, action: Callable[[], None]) -> None:
        """Forget all blobs, since a new session begins with none, and call a function under the lock."""
        with self.lock:
            self._held.clear()
            self._functions.clear()
            self._function_bytes = 0
            action()

    def hold(self, digest: Digest, data: bytes) -> None:
        """Store a blob on the scheduler."""
        with self.lock:
            self._held[digest] += 1
            if self._held[digest] == 1:
                self._session.send(HoldShared(digest, data))

    def release(self, digests: Iterable[Digest]) -> None:
        """Undo `hold`."""
        with self.lock:
            gone = []
            for digest in digests:
                if digest not in self._held:
                    continue
                self._held[digest] -= 1
                if not self._held[digest]:
                    del self._held[digest]
                    gone.append(digest)
            if gone:
                self._session.send(ReleaseShared(gone))

    def pickled(self, function: Callable[..., Any]) -> PickledFunction:
        """Return a function in its present state as a pickle.

        Raises
        ------
        TypeError
            If the function cannot be pickled.
        """
        try:
            with self.lock:
                return self._cache.pickled(function)
        except Exception as error:
            raise TypeError(
                f"Could not pickle the function {function_name(function)!r}, "
                f"a {type(function).__module__}.{type(function).__qualname__}: {type(error).__name__}: {error}"
            ) from error

    def hold_function(self, pickled: PickledFunction) -> Digest:
        """Store a function on the scheduler until enough other functions were called, and return its digest.

        The caller holds the lock until the tasks that refer to the function are queued.
        """
        digest, nbytes = pickled.digest, len(pickled.data)
        if digest in self._functions:
            self._functions.move_to_end(digest)
            return digest
        name = function_name(pickled.function)
        check_size(nbytes, f"the function {name!r}")
        warn_if_large(nbytes, f"the function {name!r} with the objects it refers to")
        self.hold(digest, pickled.data)
        self._functions[digest] = nbytes
        self._function_bytes += nbytes
        while len(self._functions) > 1 and (
            len(self._functions) > _FUNCTIONS or self._function_bytes > _FUNCTION_BYTES
        ):
            old, size = self._functions.popitem(last=False)
            self._function_bytes -= size
            self.release((old,))
        return digest
