"""Numbers of tasks, transfers, shuffles and pauses that heartbeats report."""

from __future__ import annotations

from dagrpc._loop.ticks import Ticks
from dagrpc_worker.core.views import WorkerView
from dagrpc_worker.servicers.data_transfers import DataServicer
from dagrpc_worker.shell.session.heartbeat import Heartbeat
from dagrpc_worker.shell.shuffle.shuffle_runs import Shuffles


def counts(
    view: WorkerView,
    data: DataServicer,
    shuffles: Shuffles,
    heartbeat: Heartbeat | None,
    ticks: Ticks,
) -> dict[str, float]:
    """Return the numbers by name; `heartbeat` is None before the first heartbeat."""
    slots = data.slots
    return {
        "ready": view.ready_count,
        "waiting": view.waiting_count,
        "long_running": view.long_running_count,
        "in_flight": view.in_flight_count,
        "paused": float(view.paused),
        "loop_lag_seconds": heartbeat.lag if heartbeat is not None else 0.0,
        "event_loop_interval": ticks.average,
        "latency_seconds": heartbeat.latency if heartbeat is not None else 0.0,
        "transfers_incoming": view.gathers,
        "transfers_incoming_bytes": view.gathers_nbytes,
        "transfers_incoming_total": view.gathers_started,
        "transfers_incoming_bytes_total": view.gathered_nbytes,
        "transfers_outgoing": slots.active,
        "transfers_outgoing_bytes": slots.budget.used,
        "transfers_outgoing_total": slots.total,
        "transfers_outgoing_bytes_total": slots.total_nbytes,
        # Of most workers, most of these are 0: heartbeats need not carry them.
        **_without_zeros(
            {
                **data.received.numbers("incoming"),
                **data.sent.numbers("outgoing"),
                **shuffles.numbers(),
                "pauses": view.pauses,
            }
        ),
    }


def _without_zeros(numbers: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if value}
