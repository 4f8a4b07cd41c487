"""What a client knows of its keys: their states, who refers to them, who waits for them. Knows nothing of the wire.

Every client's table is guarded by the one lock of this module: waits may span clients, and nothing slow happens under
it. The lock is reentrant because a garbage collection under it can run any finalizer.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable
from typing import Any, Final, Protocol

from dagrpc._process.fork_locks import free_in_children

lock: Final = free_in_children(threading.RLock())
"""Guards all that this module holds."""

PENDING: Final = "pending"
FINISHED: Final = "finished"
ERROR: Final = "error"
CANCELLED: Final = "cancelled"
LOST: Final = "lost"

LOST_REASON: Final = "scheduler-connection-lost"
"""Why all keys are cancelled when the connection to the scheduler is lost for good."""

DONE: Final = frozenset((FINISHED, ERROR, CANCELLED))
"""Statuses in which nothing more is awaited."""


class Waiter(Protocol):
    """Waits for keys to be done."""

    def wake(self, state: KeyState) -> None:
        """Take note that a key is done. Called under the lock: must be quick and must not block."""


class KeyState:
    """What a client knows of one key.

    Parameters
    ----------
    key : hashable
        The key as the user sees it.
    wire : str
        The key as it travels.
    """

    __slots__ = (
        "barrier",
        "failure",
        "key",
        "message",
        "nbytes",
        "payload",
        "reason",
        "references",
        "status",
        "type_name",
        "waiters",
        "wire_key",
    )

    def __init__(self, key: Hashable, wire_key: str) -> None:
        self.key = key
        self.wire_key = wire_key
        self.status: str = PENDING
        self.references = 1
        """How many futures there are."""
        self.type_name = ""
        self.nbytes = 0
        self.payload: Any = None
        """The encoded result, if it came with its event."""
        self.failure: Any = None
        """Why there is no result: a `Failure`, or a pair of exception and traceback once it was decoded."""
        self.reason = "unknown"
        """Why it was cancelled, as a word."""
        self.message: str | None = None
        """Why it was cancelled, as a sentence."""
        self.waiters: list[Waiter] | None = None
        self.barrier = 0
        """Events that come before the pong of this number are about an earlier life of the key."""

    @property
    def done(self) -> bool:
        """Whether nothing more is awaited."""
        return self.status in DONE

    def __repr__(self) -> str:
        return f"<KeyState {self.key!r}: {self.status}, {self.references} references>"


class KeyTable:
    """The keys that a client holds futures of."""

    def __init__(self) -> None:
        self.states: dict[str, KeyState] = {}
        self.closed = False
        self._end = ("", "")
        """Why, as a reason and in words."""
        self.last_pong = 0
        self._barriers: dict[str, int] = {}
        """Keys that were given up before they were done, by the ping that followed."""
        self._type_names: dict[str, str] = {}

    # --- references ----------------------------------------------------------------------------------------------

    def acquire(self, wire_key: str) -> KeyState | None:
        """Return the state of a key with one more reference, or None if there is none."""
        with lock:
            state = self.states.get(wire_key)
            if state is not None:
                state.references += 1
            return state

    def create(self, key: Hashable, wire_key: str) -> tuple[KeyState, bool]:
        """Return the state of a key with one more reference, and whether it is new."""
        with lock:
            state = self.states.get(wire_key)
            if state is not None:
                state.references += 1
                return state, False
            state = self.states[wire_key] = KeyState(key, wire_key)
            if self._barriers:
                state.barrier = self._barriers.get(wire_key, 0)
            if self.closed:
                # The session ended while this was being submitted.
                self._cancel(state, *self._end)
            return state, True

    def drop(self, state: KeyState) -> bool:
        """Take one reference away. Return whether it was the last, so that the key is to be released."""
        with lock:
            state.references -= 1
            # A key that was cancelled is not in the table any more, or stands there for a new submission.
            if state.references > 0 or self.states.get(state.wire_key) is not state:
                return False
            del self.states[state.wire_key]
            if not self.states:
                # Has it give back the memory of many.
                self.states.clear()
            return True

    def barrier(self, states: Iterable[KeyState], token: int) -> None:
        """Have events about released keys count for a new life of theirs only after the pong of this number."""
        with lock:
            for state in states:
                self._barriers[state.wire_key] = token

    # --- waiting -------------------------------------------------------------------------------------------------

    @staticmethod
    def watch(states: Iterable[KeyState], waiter: Waiter) -> int:
        """Have a waiter woken once for each state that is not done. Return how many these are."""
        count = 0
        with lock:
            for state in states:
                if state.status not in DONE:
                    count += 1
                    if state.waiters is None:
                        state.waiters = [waiter]
                    else:
                        state.waiters.append(waiter)
        return count

    @staticmethod
    def unwatch(states: Iterable[KeyState], waiter: Waiter) -> None:
        """Take a waiter away from the states that have not woken it."""
        with lock:
            for state in states:
                if state.waiters is not None and waiter in state.waiters:
                    state.waiters = [other for other in state.waiters if other is not waiter] or None

    @staticmethod
    def _wake(state: KeyState) -> None:
        waiters, state.waiters = state.waiters, None
        if waiters is not None:
            for waiter in waiters:
                waiter.wake(state)

    # --- events --------------------------------------------------------------------------------------------------

    def _current(self, wire_key: str) -> KeyState | None:
        """Return the state that an event about a key is about."""
        state = self.states.get(wire_key)
        return state if state is not None and state.barrier <= self.last_pong else None

    def finished(self, wire_key: str, type_name: str, nbytes: int, payload: Any) -> None:
        """A result is there."""
        with lock:
            state = self._current(wire_key)
            if state is None:
                return
            if type_name:
                # Many keys, few types: keep one string of each.
                state.type_name = self._type_names.setdefault(type_name, type_name)
            state.nbytes = nbytes
            state.payload = payload
            state.status = FINISHED
            if state.waiters is not None:
                self._wake(state)

    def erred(self, wire_key: str, failure: Any) -> None:
        """A task failed."""
        with lock:
            state = self._current(wire_key)
            if state is not None:
                state.status, state.failure, state.payload = ERROR, failure, None
                self._wake(state)

    def lost(self, wire_key: str) -> None:
        """A result was lost and is being computed again."""
        self._pending_again(wire_key, LOST)

    def retried(self, wire_key: str) -> None:
        """A failed task runs again."""
        self._pending_again(wire_key, PENDING)

    def _pending_again(self, wire_key: str, status: str) -> None:
        with lock:
            state = self._current(wire_key)
            if state is not None:
                state.status, state.failure, state.payload = status, None, None

    def cancelled(self, wire_key: str, reason: str, message: str | None) -> None:
        """A key will never finish."""
        with lock:
            state = self._current(wire_key)
            if state is not None:
                self._cancel(state, reason, message)

    def _cancel(self, state: KeyState, reason: str, message: str | None) -> None:
        # Out of the table, so that the key can be submitted anew.
        if self.states.get(state.wire_key) is state:
            del self.states[state.wire_key]
        state.status, state.reason, state.message = CANCELLED, reason or "unknown", message or None
        state.failure = state.payload = None
        self._wake(state)

    def pong(self, token: int) -> None:
        """All commands before this ping have been carried out, and all events about them have come."""
        with lock:
            self.last_pong = max(self.last_pong, token)
            if self._barriers:
                self._barriers = {wire_key: barrier for wire_key, barrier in self._barriers.items() if barrier > token}

    # --- the client's own wishes ---------------------------------------------------------------------------------

    def cancel(self, states: Iterable[KeyState], reason: str, message: str | None, barrier: int) -> None:
        """Give up keys. Events about them count again after the pong numbered `fence`."""
        with lock:
            for state in states:
                if state.status != CANCELLED:
                    self._barriers[state.wire_key] = barrier
                    self._cancel(state, reason, message)

    def retry(self, states: Iterable[KeyState]) -> None:
        """Expect failed keys to be run again."""
        with lock:
            for state in states:
                if state.status == ERROR:
                    state.status, state.failure = PENDING, None

    def close(self, reason: str, message: str) -> None:
        """Give up all keys, and take no new ones."""
        with lock:
            self.closed, self._end = True, (reason, message)
            self.give_up(reason, message)

    def forked(self, message: str) -> None:
        """Give up all keys that are not done, in a process in which nobody hears of them: who waits is not here."""
        self.closed, self._end = True, ("forked", message)
        for state in self.states.values():
            if state.status not in DONE:
                state.status, state.reason, state.message, state.waiters = CANCELLED, "forked", message, None

    def give_up(self, reason: str, message: str) -> None:
        """Give up all keys: no events will come about them."""
        with lock:
            self._barriers.clear()
            for state in list(self.states.values()):
                state.barrier = 0
                self._cancel(state, reason, message)
