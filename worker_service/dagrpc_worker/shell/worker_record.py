"""Facts about one worker that many of its parts read, and the port through which servicers ask it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dagrpc._auth.credentials import Credentials
from dagrpc.v1 import common_pb2
from dagrpc_worker.core.views import WorkerView
from dagrpc_worker.data.result_store import DataStore


@dataclass(slots=True, kw_only=True)
class WorkerRecord:
    """The description of a worker, and its status."""

    id: str
    """Unique among all workers."""
    name: str
    """Name on the cluster; the scheduler may change it."""
    nthreads: int
    memory_limit: int
    """Bytes; 0: no limit."""
    resources: dict[str, float]
    """Abstract resources that the worker offers."""
    nanny: str = ""
    """Address of the worker's nanny; empty: it has none."""
    credentials: Credentials | None = field(default=None, repr=False)
    """For TLS; None: connections are not encrypted."""
    address: str = ""
    """Where the worker serves, ``host:port``; empty before it has started."""
    scheduler_address: str = ""
    local_directory: str = ""
    """The worker's directory for temporary files; empty before it has started."""
    services: dict[str, int] = field(default_factory=dict)
    """Other services of the worker, with their ports."""
    startup_information: bytes = b""
    """Encoded facts that the user adds for the scheduler."""
    status: common_pb2.WorkerStatus = common_pb2.WORKER_STATUS_RUNNING
    joined: bool = False
    """Whether the worker has ever been part of the cluster."""
    restart_wanted: bool = False
    """Whether another worker takes this one's place when it closes."""

    def __str__(self) -> str:
        """Name the worker for the log."""
        return f"Worker {self.name or 'without a name'} at {self.address or '-'}"


class WorkerPort(Protocol):
    """The part of a worker that servicers use."""

    data: DataStore

    @property
    def record(self) -> WorkerRecord:
        """The description of the worker."""

    @property
    def state(self) -> WorkerView:
        """The state of the worker's core."""

    @property
    def closed(self) -> bool:
        """Whether the worker has closed or is about to."""

    @property
    def facade(self) -> Any:
        """The `Worker` that stands for this worker."""

    def executing(self) -> dict[str, float]:
        """Return when each running task started, in seconds since the epoch, by key."""

    def counts(self) -> Mapping[str, float]:
        """Return the numbers of tasks and transfers that heartbeats report."""

    def given_work(self) -> None:
        """Take note that the worker is given something to do."""
