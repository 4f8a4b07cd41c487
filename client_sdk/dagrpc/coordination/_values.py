"""Values in queues and variables: futures, or plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dagrpc._client.coordination_client import Request
from dagrpc._client.key_table import CANCELLED
from dagrpc._client.waiting import Operation, RunOnLoop
from dagrpc._codec import payload as payloads
from dagrpc._codec import pickled_futures
from dagrpc.future import Future
from dagrpc.v1 import coordination_pb2 as pb

if TYPE_CHECKING:
    from dagrpc.client import Client


def encode(value: Any, target: pb.CoordinatedValue, families: Sequence[str] = ()) -> list[Future[Any]]:
    """Write a value into its message. Return the futures in it; see `known`.

    Parameters
    ----------
    families : sequence of str
        Families of encodings that are allowed, best first. Empty: any.

    Raises
    ------
    RuntimeError
        If the value is a future that no client holds.
    Exception
        Whatever pickling the value raises.
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
    """Raise `TimeoutError` if a future was cancelled: whoever got it would wait for ever."""
    for future in futures:
        if future.status == CANCELLED:
            raise TimeoutError(f"Task {future.key!r} unknown to scheduler: it was cancelled")


def known(client: Client, futures: list[Future[Any]]) -> Operation[None]:
    """Wait until the scheduler knows the futures of other clients: their sessions may be behind this one's."""
    for other in {id(future.client): future.client for future in futures}.values():
        if other is not None and other is not client and other.status == "running":
            yield RunOnLoop(other._loop, other._session.ping())


def decode(client: Client, request: Request, families: Sequence[str] | None = None) -> Operation[list[Any]]:
    """Return the values of an answer, with futures that know at once whether they are done.

    Raises
    ------
    TypeError
        If the family of one is none of `families`; by default all are accepted.
    """
    assert request.answer is not None
    if any(not state.done for state in request.states):
        # What is known of them comes after the answer.
        try:
            yield RunOnLoop(client._loop, client._session.ping())
        except BaseException:
            client._session.coordination.withdraw(request)
            raise
    states = iter(request.states)
    values: list[Any] = []
    for value in request.answer.values:
        if value.HasField("future"):
            values.append(Future._of(next(states), client))
        elif value.keys:
            # Held until the futures among the data hold them.
            held = [next(states) for _ in value.keys]
            with client.as_current():
                values.append(payloads.from_payload(value.data, families))
            for state in held:
                client._session.send(state)
        else:
            values.append(payloads.from_payload(value.data, families))
    return values
