"""Futures of other clients as inputs of a submission."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dagrpc._client.client_core import ClientCore
from dagrpc._client.key_table import CANCELLED, KeyState
from dagrpc.future import Future


def adopt_futures(core: ClientCore, found: Iterable[dict[str, Future[Any]]]) -> None:
    """Replace futures of other clients among the dependencies of a submission by futures of this client.

    Each client has its own stream to the scheduler, and streams are not ordered among each other. On return the
    scheduler knows the tasks, and knows that this client wants them.

    Raises
    ------
    ValueError
        If a future belongs to another cluster.
    """
    foreign = [
        (futures, wire_key, future)
        for futures in found
        for wire_key, future in futures.items()
        if future._core is not core and future.status != CANCELLED
    ]
    # The IO loop cannot wait for itself. Coroutines on it have awaited the futures that they submit.
    if not foreign or core.loop.inside:
        return
    for owner in {future._bound_core() for _, _, future in foreign}:
        if owner.session.welcome.scheduler_id != core.session.welcome.scheduler_id:
            raise ValueError(f"A future of another cluster, at {owner.session.address}, cannot be an argument here")
        owner.await_scheduler()
    for futures, wire_key, future in foreign:
        futures[wire_key] = Future(future.key, core.client)
    core.await_scheduler()


def cancelled_with_inputs(core: ClientCore, state: KeyState, dependencies: Mapping[str, Future[Any]]) -> bool:
    """Cancel a new key if one of its dependencies is cancelled. Return whether it was."""
    for wire_key, future in dependencies.items():
        if future.status == CANCELLED:
            message = f"It depends on {wire_key!r}, which was cancelled."
            core.table.cancelled(state.wire_key, "lost dependencies", message)
            return True
    return False
