"""The keys of a client: their states, how many futures refer to them, which waiters wait for them. No I/O.

One lock guards the tables of all clients, since waits may span clients. Nothing slow happens under the lock. It is
reentrant because a garbage collection under the lock can run any finalizer.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable
from typing import Any, Final, Protocol

from dagrpc._process.fork_locks import free_in_children

lock: Final = free_in_children(threading.RLock())
"""Guards all tables and states of this module."""

PENDING: Final = "pending"
FINISHED: Final = "finished"
ERROR: Final = "error"
CANCELLED: Final = "cancelled"
LOST: Final = "lost"

LOST_REASON: Final = "scheduler-connection-lost"
"""Reason for cancelling all keys when the connection to the scheduler is lost for good."""

DONE: Final = frozenset((FINISHED, ERROR, CANCELLED))
"""Statuses in which there is nothing to wait for."""


class Waiter(Protocol):
    """Waits for keys to be done."""

    def wake(self, state: KeyState) -> None:
        """Note that a key is done. Called under the lock: must be quick and must not block."""


class KeyState:
    """The state of one key; `wire_key` is the key as text, as it travels."""

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
        """Number of futures."""
        self.type_name = ""
        self.nbytes = 0
        self.payload: Any = None
        """The encoded result, if it came inline with its event."""
        self.failure: Any = None
        """The failure of the task: a `Failure` message, or a pair of exception and traceback once it was decoded."""
        self.reason = "unknown"
        """Reason of the cancellation, as a word."""
        self.message: str | None = None
        """Reason of the cancellation, as a sentence."""
        self.waiters: list[Waiter] | None = None
        self.barrier = 0
        """Events before the pong of this number are about an earlier task of the same key."""

    @property
    def done(self) -> bool:
        """Whether there is nothing to wait for."""
        return self.status in DONE

    def __repr__(self) -> str:
        return f"<KeyState {self.key!r}: {self.status}, {self.references} references>"


class KeyTable:
    """The keys that a client holds futures of."""

    def __init__(self) -> None:
        self.states: dict[str, KeyState] = {}
        self.closed = False
        self._end = ("", "")
        """Reason of the end, as a word and as a sentence."""
        self.last_pong = 0
        self._barriers: dict[str, int] = {}
        """Numbers of the pings that followed the release of keys that were not done."""
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
                # The session ended while the key was being submitted.
                self._cancel(state, *self._end)
            return state, True

    def drop(self, state: KeyState) -> bool:
        """Remove one reference. Return whether it was the last, so that the key has to be released."""
        with lock:
            state.references -= 1
            # A cancelled key is not in the table any more, unless the key was submitted again.
            if state.references > 0 or self.states.get(state.wire_key) is not state:
                return False
            del self.states[state.wire_key]
            if not self.states:
                # An empty dict keeps the memory of its former entries until it is cleared.
                self.states.clear()
            return True

    def barrier(self, states: Iterable[KeyState], token: int) -> None:
        """Ignore events about released keys until the pong of this number, in case a key is submitted again."""
        with lock:
            for state in states:
                self._barriers[state.wire_key] = token

    # --- waiting -------------------------------------------------------------------------------------------------

    @staticmethod
    def watch(states: Iterable[KeyState], waiter: Waiter) -> int:
        """Wake a waiter once for each state that is not done yet. Return the number of these states."""
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
        """Remove a waiter from states that have not woken it."""
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
        """Return the state that an event about a key applies to."""
        state = self.states.get(wire_key)
        return state if state is not None and state.barrier <= self.last_pong else None

    def finished(self, wire_key: str, type_name: str, nbytes: int, payload: Any) -> None:
        """Note that a result is there."""
        with lock:
            state = self._current(wire_key)
            if state is None:
                return
            if type_name:
                # Many keys share few types: one string of each type is kept.
                state.type_name = self._type_names.setdefault(type_name, type_name)
            state.nbytes = nbytes
            state.payload = payload
            state.status = FINISHED
            if state.waiters is not None:
                self._wake(state)

    def erred(self, wire_key: str, failure: Any) -> None:
        """Note that a task failed."""
        with lock:
            state = self._current(wire_key)
            if state is not None:
                state.status, state.failure, state.payload = ERROR, failure, None
                self._wake(state)

    def lost(self, wire_key: str) -> None:
        """Note that a result was lost and is being computed again."""
        self._pending_again(wire_key, LOST)

    def retried(self, wire_key: str) -> None:
        """Note that a failed task runs again."""
        self._pending_again(wire_key, PENDING)

    def _pending_again(self, wire_key: str, status: str) -> None:
        with lock:
            state = self._current(wire_key)
            if state is not None:
                state.status, state.failure, state.payload = status, None, None

    def cancelled(self, wire_key: str, reason: str, message: str | None) -> None:
        """Note that a key was cancelled."""
        with lock:
            state = self._current(wire_key)
            if state is not None:
                self._cancel(state, reason, message)

    def _cancel(self, state: KeyState, reason: str, message: str | None) -> None:
        # Removed from the table, so that the key can be submitted again.
        if self.states.get(state.wire_key) is state:
            del self.states[state.wire_key]
        state.status, state.reason, state.message = CANCELLED, reason or "unknown", message or None
        state.failure = state.payload = None
        self._wake(state)

    def pong(self, token: int) -> None:
        """Note that all commands before this ping were carried out, and that all events about them have come."""
        with lock:
            self.last_pong = max(self.last_pong, token)
            if self._barriers:
                self._barriers = {wire_key: barrier for wire_key, barrier in self._barriers.items() if barrier > token}

    # --- commands of the client ----------------------------------------------------------------------------------

    def cancel(self, states: Iterable[KeyState], reason: str, message: str | None, barrier: int) -> None:
        """Cancel keys, and ignore events about them until the pong of number `barrier`."""
        with lock:
            for state in states:
                if state.status != CANCELLED:
                    self._barriers[state.wire_key] = barrier
                    self._cancel(state, reason, message)

    def retry(self, states: Iterable[KeyState]) -> None:
        """Set failed keys to pending."""
        with lock:
            for state in states:
                if state.status == ERROR:
                    state.status, state.failure = PENDING, None

    def close(self, reason: str, message: str) -> None:
        """Cancel all keys, and every key that is created from now on."""
        with lock:
            self.closed, self._end = True, (reason, message)
            self.give_up(reason, message)

    def forked(self, message: str) -> None:
        """Cancel all keys that are not done, in a forked process. The threads that wait are in the parent process."""
        self.closed, self._end = True, ("forked", message)
        for state in self.states.values():
            if state.status not in DONE:
                state.status, state.reason, state.message, state.waiters = CANCELLED, "forked", message, None

    def give_up(self, reason: str, message: str) -> None:
        """Cancel all keys, since no events about them will come."""
        with lock:
            self._barriers.clear()
            for state in list(self.states.values()):
                state.barrier = 0
                self._cancel(state, reason, message)
