"""Details of task runs that workers report beside the ends of runs, for plugins that watch tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from dagrpc._codec.failure_text import exception_text
from dagrpc._codec.failures import decode_failure
from dagrpc._codec.plain import decode_plain
from dagrpc._common.task_activities import startstop
from dagrpc._loop.io_loop import spawn
from dagrpc._rpc.channels import ChannelPool
from dagrpc.v1 import diagnostics_service_pb2 as pb
from dagrpc.v1.worker_session_pb2 import RunDetails
from dagrpc_scheduler.core.events import Event, TaskErred, TaskFinished
from dagrpc_scheduler.core.model import ERRED, MEMORY
from dagrpc_scheduler.shell.diagnostics.task_stream_buffer import TaskStreamBuffer
from dagrpc_scheduler.shell.plugins.user_code import UserCode
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.shutdown import Shutdown
from dagrpc_scheduler.shell.workers.ask_workers import ask_workers
from dagrpc_scheduler.shell.workers.remote_services import WORKER_DIAGNOSTICS_SERVICE

_MOST_DETAILS = 10_000
"""How many details wait for the ends of their runs; the ends of runs that nobody wants any more never come."""
_PATIENCE = 2.0
"""Seconds that the registration of a plugin waits for workers that are busy."""


class RunNotes:
    """Details of runs, kept until plugins are told of the runs' ends, and the metadata of tasks."""

    def __init__(
        self,
        *,
        peers: ConnectedPeers,
        control_channels: ChannelPool,
        task_stream: TaskStreamBuffer,
        user_code: UserCode,
        shutdown: Shutdown,
        background: set[asyncio.Task[Any]],
    ) -> None:
        self._peers = peers
        self._channels = control_channels
        self._task_stream = task_stream
        self._user_code = user_code
        self._shutdown = shutdown
        self._background = background
        self.wanted = 0
        """Counts the changes between unwanted (even) and wanted (odd)."""
        self.metadata: dict[str, dict[str, Any]] = {}
        """Metadata that plugins set on tasks, by wire key, as long as the tasks are known."""
        self._details: dict[str, RunDetails] = {}
        self._ends: dict[str, TaskFinished | TaskErred] = {}
        """The ends of runs that a worker has just reported, by wire key."""
        self._telling: asyncio.Task[None] | None = None
        """Tells the workers whether details are wanted."""

    def want(self, wanted: bool) -> None:
        """Tell workers to report details or to stop; a worker that cannot be called learns it from a heartbeat."""
        if wanted == (self.wanted % 2 == 1):
            return
        self.wanted += 1
        self._details.clear()
        self._ends.clear()
        if self._peers.workers and not self._shutdown.begun:
            self._telling = spawn(self._tell(), self._background)

    async def settle(self) -> None:
        """Wait for a short time until workers know what is wanted."""
        if self._telling is not None:
            await asyncio.wait((self._telling,), timeout=_PATIENCE)

    async def _tell(self) -> None:
        question = pb.FlushRecordsRequest(recording=self._task_stream.recording, details=self.wanted)
        requests = dict.fromkeys(list(self._peers.workers), question)
        answers = await ask_workers(
            self._channels, WORKER_DIAGNOSTICS_SERVICE, "FlushRecords", requests, pb.FlushRecordsResponse
        )
        for worker, answer in answers.found.items():
            self._task_stream.add(worker, answer.records)

    def take(self, report: RunDetails) -> None:
        """Keep the details of a run whose end the same worker reports next."""
        if report.metadata:
            self.metadata[report.key] = dict(decode_plain(report.metadata))
            self._task_stream.note_metadata(report.key, report.metadata)
        if self.wanted % 2:
            if len(self._details) >= _MOST_DETAILS:
                self._details.clear()
            # Copied, because a part of a message keeps the whole message alive.
            kept = type(report)()
            kept.CopyFrom(report)
            self._details[report.key] = kept

    def reported(self, reports: Iterable[Event]) -> None:
        """Note the ends of runs, before the core handles them."""
        self._ends = {event.key: event for event in reports if isinstance(event, TaskFinished | TaskErred)}

    def details(self, key: str, finish: str) -> dict[str, Any]:
        """Return the details of the run whose end brings a task into a state."""
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
        if self._user_code.allowed:
            # Unpickling an exception runs user code.
            error = decode_failure(failure, end.key)
        return {
            "status": "error",
            "cause": failure.origin_key or end.key,
            "exception": error,
            "exception_text": exception_text(failure),
            "traceback": error.__traceback__ if error is not None else None,
            "traceback_text": failure.traceback_text,
        }
