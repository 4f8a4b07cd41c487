"""The shared values that a client has the scheduler hold: functions of calls, what parts of graphs have in common."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from dagrpc._client.arguments import check_size, warn_if_large
from dagrpc._client.commands import HoldShared, ReleaseShared
from dagrpc._client.tokens import function_name
from dagrpc._codec.functions import FunctionCache, PickledFunction
from dagrpc._codec.references import Digest

if TYPE_CHECKING:
    from dagrpc._client.session import ClientSession

_FUNCTIONS = 1_000
"""How many functions the scheduler holds, so that calling one again does not send it again."""
_FUNCTION_BYTES = 64 << 20
"""How large they are together at most, but for the last one."""


class SharedBlobs:
    """The shared values of a client, counted."""

    def __init__(self, session: ClientSession) -> None:
        self.lock = threading.RLock()
        """Held from holding a value until what refers to it is queued."""
        self._session = session
        self._held: Counter[Digest] = Counter()
        self._cache = FunctionCache()
        # The sizes of the functions that are held, most recently called last.
        self._functions: OrderedDict[Digest, int] = OrderedDict()
        self._function_bytes = 0
        session.on_renewal = self.renew

    def renew(self, action: Callable[[], None]) -> None:
        """Begin anew with a scheduler that holds nothing, while nobody refers to anything; and do something else."""
        with self.lock:
            self._held.clear()
            self._functions.clear()
            self._function_bytes = 0
            action()

    def hold(self, digest: Digest, data: bytes) -> None:
        """Have the scheduler hold a value."""
        with self.lock:
            self._held[digest] += 1
            if self._held[digest] == 1:
                self._session.send(HoldShared(digest, data))

    def let_go(self, digests: Iterable[Digest]) -> None:
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
        """Return a function as it is now.

        Raises
        ------
        TypeError
            If it cannot be pickled.
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
        """Have the scheduler hold a function, until enough others have been called, and return its digest.

        The lock must be held until what refers to it is queued.
        """
        digest, nbytes = pickled.digest, len(pickled.data)
        if digest in self._functions:
            self._functions.move_to_end(digest)
            return digest
        name = function_name(pickled.function)
        check_size(nbytes, f"the function {name!r}")
        warn_if_large(nbytes, f"the function {name!r} with what it refers to")
        self.hold(digest, pickled.data)
        self._functions[digest] = nbytes
        self._function_bytes += nbytes
        while len(self._functions) > 1 and (
            len(self._functions) > _FUNCTIONS or self._function_bytes > _FUNCTION_BYTES
        ):
            old, size = self._functions.popitem(last=False)
            self._function_bytes -= size
            self.let_go((old,))
        return digest
