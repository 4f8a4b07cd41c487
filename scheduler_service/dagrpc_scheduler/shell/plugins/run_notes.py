"""What workers tell of runs beside their ends: for plugins that watch tasks, and what they note about them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dagrpc._codec.failure_text import exception_text
from dagrpc._codec.failures import decode_failure
from dagrpc._codec.plain import decode_plain
from dagrpc._common.task_activities import startstop
from dagrpc._loop.io_loop import spawn
from dagrpc.v1 import diagnostics_service_pb2 as pb
from dagrpc_scheduler.core.events import Event, TaskErred, TaskFinished
from dagrpc_scheduler.core.model import ERRED, MEMORY
from dagrpc_scheduler.shell.workers.ask_workers import ask_workers

if TYPE_CHECKING:
    from dagrpc.v1.worker_session_pb2 import RunDetails
    from dagrpc_scheduler.shell.service import SchedulerService

_WORKER_SERVICE = pb.DESCRIPTOR.services_by_name["WorkerDiagnosticsService"]
_LIMIT = 10_000
"""Details that may wait for the ends of their runs. Those of runs that nobody wants any more wait in vain."""
_PATIENCE = 2.0
"""Seconds that whoever registers a plugin waits for workers that are busy with something else."""


class RunNotes:
    """Has workers tell more of runs while somebody wants to know it, and keeps it until that is told.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.

    Attributes
    ----------
    wanted : int
        How often it has changed whether workers are to tell more: odd while they are.
    metadata : dict
        What plugins noted about tasks, by key as on the wire, as long as these are known.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service
        self.wanted = 0
        self.metadata: dict[str, dict[str, Any]] = {}
        self._details: dict[str, RunDetails] = {}
        self._ends: dict[str, TaskFinished | TaskErred] = {}
        """What workers have just reported, by key."""
        self.telling: asyncio.Task[None] | None = None
        """Tells the workers what is wanted."""

    def want(self, wanted: bool) -> None:
        """Have workers tell more, or no more. Those that cannot be told now learn it with their next heartbeat."""
        if wanted == (self.wanted % 2 == 1):
            return
        self.wanted += 1
        self._details.clear()
        self._ends.clear()
        if self._service.sessions.workers and not self._service.closing:
            self.telling = spawn(self._tell(), self._service.tasks)

    async def settle(self) -> None:
        """Wait until workers know what is wanted, but not for long."""
        if self.telling is not None:
            await asyncio.wait((self.telling,), timeout=_PATIENCE)

    async def _tell(self) -> None:
        question = pb.FlushRecordsRequest(recording=self._service.records.recording, details=self.wanted)
        asked = dict.fromkeys(list(self._service.sessions.workers), question)
        answers = await ask_workers(self._service, _WORKER_SERVICE, "FlushRecords", asked, pb.FlushRecordsResponse)
        for worker, answer in answers.found.items():
            self._service.records.add(worker, answer.records)

    def take(self, report: RunDetails) -> None:
        """Take what a worker tells of a run, before it tells that it has ended."""
        if report.metadata:
            self.metadata[report.key] = dict(decode_plain(report.metadata))
            self._service.records.note_metadata(report.key, report.metadata)
        if self.wanted % 2:
            if len(self._details) >= _LIMIT:
                self._details.clear()
            # A message of its own, lest it keep alive the one that it came with.
            kept = type(report)()
            kept.CopyFrom(report)
            self._details[report.key] = kept

    def reported(self, reports: Iterable[Event]) -> None:
        """Take note of which runs have ended, before the core does."""
        self._ends = {event.key: event for event in reports if isinstance(event, TaskFinished | TaskErred)}

    def details(self, key: str, finish: str) -> dict[str, Any]:
        """Return what plugins are told of a run that has ended, when its task gets into a state."""
        end = self._ends.pop(key, None)
        if end is None or finish not in (MEMORY, ERRED):
            return {}
        more = self._details.pop(key, None)
        if more is not None and more.run_id != end.run_id:
            more = None
        found: dict[str, Any] = {"metadata": self.metadata.get(key, {})}
        if more is not None and more.activities:
            found["startstops"] = [startstop(each.kind, each.start, each.stop, each.source) for each in more.activities]
            found["thread"] = more.thread
        elif end.start:
            found["startstops"] = [{"action": "compute", "start": end.start, "stop": end.stop}]
        if isinstance(end, TaskErred):
            return found | self._failure(end)
        found |= {"status": "OK", "nbytes": end.nbytes, "typename": end.type_name.removeprefix("builtins.")}
        if more is not None and more.type:
            found["type"] = more.type
        return found

    def _failure(self, end: TaskErred) -> dict[str, Any]:
        failure = end.failure
        error = None
        if self._service.options.allow_code:
            # Rebuilding it runs code of users'.
            error = decode_failure(failure, end.key)
        return {
            "status": "error",
            "cause": failure.origin_key or end.key,
            "exception": error,
            "exception_text": exception_text(failure),
            "traceback": error.__traceback__ if error is not None else None,
            "traceback_text": failure.traceback_text,
        }
