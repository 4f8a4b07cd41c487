"""Results of keys: values that came inline, errors, and operations that wait, fetch and decode."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from functools import partial
from typing import Any

from dagrpc._client import current
from dagrpc._client.client_core import ClientCore
from dagrpc._client.key_table import CANCELLED, ERROR, FINISHED, KeyState
from dagrpc._client.waiting import Countdown, Deadline, Operation, RunInThread, RunOnLoop
from dagrpc._codec import payload as payloads
from dagrpc._codec.failures import decode_failure
from dagrpc._common.remote_raise import raise_from_elsewhere
from dagrpc._transfer.transfers import ReceivedValue
from dagrpc.exceptions import FutureCancelledError, GraphError

_OWN_CLASSES = b"dagrpc."
"""Bytes in the pickle of every future and every actor."""

NOT_INLINE: Any = object()
"""Stands for a value that did not come with its event."""


def inline_value(state: KeyState, core: ClientCore | None = None) -> Any:
    """Return the value that came with the event of a finished key, or `NOT_INLINE`.

    Futures and actors in the value become those of the client with `core`.
    """
    payload = state.payload
    if type(payload) is bytes:
        if core is not None and _OWN_CLASSES in payload:
            with current.as_current(core.client):
                return pickle.loads(payload)
        return pickle.loads(payload)
    if payload is None:
        return NOT_INLINE
    return payloads.from_payload(payload)


def failure_of(state: KeyState) -> tuple[BaseException, Any]:
    """Return exception and traceback of a key that failed."""
    if not isinstance(state.failure, tuple):
        error = decode_failure(state.failure, str(state.key))
        state.failure = (error, error.__traceback__)
    both: tuple[BaseException, Any] = state.failure
    return both


def was_refused(state: KeyState) -> bool:
    """Return whether a key failed because the scheduler refused its graph."""
    return isinstance(state.failure, tuple) and isinstance(state.failure[0], GraphError)


def cancelled_error(state: KeyState) -> FutureCancelledError:
    """Return the error of a cancelled key."""
    return FutureCancelledError(str(state.key), state.reason, state.message)


def released_error(state: KeyState) -> FutureCancelledError:
    """Return the error for a future that was released."""
    return FutureCancelledError(str(state.key), "unknown", "The future was released.")


def raise_unless_finished(state: KeyState) -> None:
    """Raise the error of a key that failed or was cancelled."""
    if state.status == ERROR:
        raise_from_elsewhere(*failure_of(state))
    if state.status == CANCELLED:
        raise_from_elsewhere(cancelled_error(state), None)


def values_of(
    core: ClientCore, states: Sequence[KeyState], errors: str, direct: bool | None, deadline: Deadline
) -> Operation[dict[str, Any]]:
    """Wait for keys and return their values by wire key.

    With ``errors="skip"`` keys without a result are missing; otherwise the first error is raised.
    """
    values: dict[str, Any] = {}
    left: list[KeyState] = list(states)
    while left:
        if not (yield Countdown(left, deadline, fail_fast=errors == "raise")):
            raise deadline.error(f"{len([s for s in left if not s.done])} of {len(states)} results were not there")
        if core.session.topics.to_show:
            yield RunInThread(core.session.topics.wait_until_shown)
        remote = []
        for state in left:
            if state.status != FINISHED:
                if errors == "raise":
                    raise_unless_finished(state)
                if not state.done:
                    remote.append(state)
                continue
            value = inline_value(state, core)
            if value is NOT_INLINE:
                remote.append(state)
            else:
                values[state.wire_key] = value
        if not remote:
            break
        finished = [state for state in remote if state.status == FINISHED]
        if finished:
            core.check_open()
            fetching = core.fetcher.fetch(finished, core.chosen_direct(direct))
            received = yield RunOnLoop(core.loop, fetching, deadline, f"{len(finished)} results were not fetched")
            yield RunInThread(partial(_decode, core, received, values))
        left = [state for state in remote if state.wire_key not in values]
    return values


def _decode(core: ClientCore, received: dict[str, ReceivedValue], values: dict[str, Any]) -> None:
    """Decode received values; futures in them become those of the client."""
    with current.as_current(core.client):
        for wire_key in list(received):
            # Each encoded value is dropped when it is decoded, so that only one value is held twice.
            value = received.pop(wire_key)
            values[wire_key] = payloads.decode(value.entry.encoding, value.frames, core.session.families)


def result(core: ClientCore, state: KeyState, timeout: float | None) -> Operation[Any]:
    """Wait for the result of a key."""
    values = yield from values_of(core, [state], "raise", None, Deadline(timeout))
    return values[state.wire_key]


def exception_and_traceback(
    state: KeyState, timeout: float | None, what: str
) -> Operation[tuple[BaseException | None, Any]]:
    """Wait for a key and return its exception and traceback, both None if it did not fail."""
    deadline = Deadline(timeout)
    if not (yield Countdown([state], deadline)):
        raise deadline.error(f"{what} was not done")
    return failure_of(state) if state.status == ERROR else (None, None)
