"""The activities of a worker for a task, as users see them."""

from __future__ import annotations

from typing import Any

from dagrpc.v1 import records_pb2

_ACTIONS = {
    records_pb2.ACTIVITY_KIND_COMPUTE: "compute",
    records_pb2.ACTIVITY_KIND_TRANSFER: "transfer",
    records_pb2.ACTIVITY_KIND_DESERIALIZE: "deserialize",
}


def startstop(kind: records_pb2.ActivityKind, start: float, stop: float, source: str = "") -> dict[str, Any]:
    """Return one activity for a task: its kind, start and stop, and the source of fetched data.

    Examples
    --------
    >>> startstop(records_pb2.ACTIVITY_KIND_COMPUTE, 1.0, 2.5)
    {'action': 'compute', 'start': 1.0, 'stop': 2.5}
    """
    known = {"action": _ACTIONS.get(kind, "other"), "start": start, "stop": stop}
    return {**known, "source": source} if source else known
