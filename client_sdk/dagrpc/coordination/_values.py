"""Values in queues and variables: futures, or plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dagrpc._client import current
from dagrpc._client.client_core import ClientCore
from dagrpc._client.coordination_client import Request
from dagrpc._client.key_table import CANCELLED
from dagrpc._client.waiting import Operation, RunOnLoop
from dagrpc._codec import payload as payloads
from dagrpc._codec import pickled_futures
from dagrpc.future import Future
from dagrpc.v1 import coordination_pb2 as pb


def encode(value: Any, target: pb.CoordinatedValue, families: Sequence[str] = ()) -> list[Future[Any]]:
    """Write a value into its message, and return the futures in it; see `await_known`.

    `families` lists the allowed families, best first; empty: all. Raises RuntimeError for a future that no client
    holds, and any error of pickling the value.
    """
    if isinstance(value, Future):
        target.future = value.bound_state().wire_key
        return [value]
    with pickled_futures.noted() as futures:
        target.data.CopyFrom(payloads.to_payload(value, families))
    if futures:
        target.keys.extend(sorted({future.bound_state().wire_key for future in futures}))
    return futures


def check_alive(futures: list[Future[Any]]) -> None:
    """Raise `TimeoutError` if a future was cancelled: its receiver would wait for ever."""
    for future in futures:
        if future.status == CANCELLED:
            raise TimeoutError(f"Task {future.key!r} unknown to scheduler: it was cancelled")


def await_known(core: ClientCore, futures: list[Future[Any]]) -> Operation[None]:
    """Wait until the scheduler knows futures of other clients, whose sessions may lag behind this client's."""
    for other in {future._core for future in futures}:
        if other is not None and other is not core and other.session.status == "running":
            yield RunOnLoop(other.loop, other.session.ping())


def decode(core: ClientCore, request: Request, families: Sequence[str] | None = None) -> Operation[list[Any]]:
    """Return the values of an answer, with futures whose status is known.

    Raises TypeError if the family of a value is none of `families`; by default all are accepted.
    """
    assert request.answer is not None
    if any(not state.done for state in request.states):
        # The status of the futures arrives after the answer.
        try:
            yield RunOnLoop(core.loop, core.session.ping())
        except BaseException:
            core.session.coordination.withdraw(request)
            raise
    states = iter(request.states)
    values: list[Any] = []
    for value in request.answer.values:
        if value.HasField("future"):
            values.append(Future._of(next(states), core, core.client))
        elif value.keys:
            # Held until the futures among the data hold them.
            held = [next(states) for _ in value.keys]
            with current.as_current(core.client):
                values.append(payloads.from_payload(value.data, families))
            for state in held:
                core.session.send(state)
        else:
            values.append(payloads.from_payload(value.data, families))
    return values
