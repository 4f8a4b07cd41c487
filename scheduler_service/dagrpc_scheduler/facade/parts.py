"""The parts of a `Scheduler` that the functions behind its methods use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from dagrpc._rpc.embedded_server import ServiceHome
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.shell.service import SchedulerService
from dagrpc_scheduler.shell.user_views.state_views import WorkerState


class SchedulerParts(Protocol):
    """`Scheduler`, as the modules that define its methods know it."""

    _service: SchedulerService
    _home: ServiceHome

    @property
    def _core(self) -> SchedulerCore: ...

    @property
    def workers(self) -> Mapping[str, WorkerState]: ...
