"""A worker as a cluster manager knows it: the scheduler's description at one moment."""

from __future__ import annotations

from typing import Any

from dagrpc._client.cluster_description import describe_worker
from dagrpc._common.server_status import Status
from dagrpc.v1 import scheduler_service_pb2 as pb

_STATUSES = {"retiring": Status.closing_gracefully}


class WorkerView:
    """A worker as its scheduler described it, with the attributes that `WorkerState` has on the scheduler.

    ``address``, ``name``, ``host``, ``nthreads``, ``memory_limit``, ``nbytes``, ``occupancy``, ``status``,
    ``resources``, ``metrics``, ``services``, ``nanny``, ``pid``, ``local_directory`` and ``last_seen`` have the
    values of that moment.

    Parameters
    ----------
    worker : WorkerInfo
        The scheduler's description.

    Examples
    --------
    >>> worker = WorkerView(pb.WorkerInfo(address="10.0.0.1:40001", name="0", host="10.0.0.1", nthreads=4))
    >>> worker.host, worker.name, worker.nthreads
    ('10.0.0.1', 0, 4)
    """

    __slots__ = ("_facts",)

    def __init__(self, worker: pb.WorkerInfo) -> None:
        facts = describe_worker(worker)
        status = facts["status"]
        self._facts: dict[str, Any] = {
            **facts,
            "address": worker.address,
            "nbytes": int(worker.metrics.get("managed_bytes", 0)),
            "occupancy": worker.occupancy,
            "status": _STATUSES.get(status) or Status.__members__.get(status, Status.undefined),
        }

    def __getattr__(self, name: str) -> Any:
        # `copy` and `pickle` ask for attributes before `_facts` exists.
        if name.startswith("_") or name not in self._facts:
            raise AttributeError(
                f"A cluster manager does not know {name!r} of a worker; on the scheduler there is more: "
                "Client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.workers)"
            )
        return self._facts[name]

    def __getitem__(self, name: str) -> Any:
        return self._facts[name]

    def identity(self) -> dict[str, Any]:
        """Return the description as a plain dict."""
        return {**self._facts, "status": self._facts["status"].name}

    def __repr__(self) -> str:
        return f"<WorkerView {self.address!r}, name: {self.name}, status: {self.status.name}, threads: {self.nthreads}>"
