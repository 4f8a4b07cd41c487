"""Translates the reports of the core and of the shell into messages to the scheduler."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from dagrpc._codec.failures import encode_failure
from dagrpc._codec.plain import encode_plain
from dagrpc.exceptions import TaskTimeout
from dagrpc.v1 import common_pb2, event_service_pb2, failure_pb2, worker_session_pb2
from dagrpc_worker.core import instructions
from dagrpc_worker.execute.task_recorder import Run, fill_activities

logger = logging.getLogger("dagrpc.worker")

WorkerReport = worker_session_pb2.WorkerReport


@dataclass(slots=True)
class StatusReport:
    """The worker's status has changed."""

    status: common_pb2.WorkerStatus


@dataclass(slots=True)
class ResourcesReport:
    """The amounts of the worker's resources have changed."""

    resources: Mapping[str, float]


@dataclass(slots=True)
class FunctionsReport:
    """The functions that callers may call have changed."""

    functions: worker_session_pb2.ExportedFunctions


@dataclass(slots=True)
class RunReport:
    """Details of a run that has ended."""

    key: str
    run_id: int
    run: Run | None
    metadata: Mapping[str, Any]
    """Notes of plugins about the task."""


@dataclass(slots=True)
class GoodbyeReport:
    """The worker leaves the cluster."""

    reason: str


Report: TypeAlias = (
    instructions.ReportFinished
    | instructions.ReportErred
    | instructions.ReportTimedOut
    | instructions.ReportRescheduled
    | instructions.ReportLongRunning
    | instructions.ReportReplicasAdded
    | instructions.ReportReplicasRemoved
    | instructions.ReportDataMissing
    | instructions.ReportStealAnswer
    | StatusReport
    | ResourcesReport
    | FunctionsReport
    | RunReport
    | GoodbyeReport
    | event_service_pb2.LogEvent
)

_BATCH = 5_000
"""Maximum number of reports in one message."""


# Messages are filled in place: passing messages to constructors would copy them at each level.


def _finished(report: instructions.ReportFinished, out: WorkerReport) -> None:
    finished = out.finished
    finished.key = report.key
    finished.run_id = report.run_id
    finished.nbytes = report.nbytes
    finished.type_name = report.type_name
    finished.start = report.start
    finished.stop = report.stop
    if report.payload is not None:
        encoding, frames, *plain = report.payload
        if encoding is not None:
            payload = finished.payload
            payload.encoding = encoding
            if len(frames) == 1:
                payload.data = bytes(frames[0])
            else:
                payload.frame_lengths.extend(map(len, frames))
                payload.data = b"".join(frames)
        if plain and plain[0] is not None:
            encoding, data = plain[0]
            finished.plain.encoding, finished.plain.data = encoding, bytes(data)


def failure_of(report: instructions.ReportErred | instructions.ReportTimedOut) -> failure_pb2.Failure:
    """Return the failure of a task as a message."""
    if isinstance(report, instructions.ReportErred):
        failure: failure_pb2.Failure = report.failure
        return failure
    error = TaskTimeout(report.key, report.limit, report.worker)
    failure = encode_failure(error, failure_pb2.FAILURE_KIND_TIMEOUT)
    failure.origin_key, failure.worker = report.key, report.worker
    return failure


def _erred(report: instructions.ReportErred, out: WorkerReport) -> None:
    erred = out.erred
    erred.key = report.key
    erred.run_id = report.run_id
    erred.failure.CopyFrom(report.failure)
    erred.start = report.start
    erred.stop = report.stop


def _timed_out(report: instructions.ReportTimedOut, out: WorkerReport) -> None:
    failure = failure_of(report)
    _erred(instructions.ReportErred(report.key, report.run_id, failure, report.start, report.stop), out)


def _rescheduled(report: instructions.ReportRescheduled, out: WorkerReport) -> None:
    out.rescheduled.key = report.key
    out.rescheduled.run_id = report.run_id


def _long_running(report: instructions.ReportLongRunning, out: WorkerReport) -> None:
    out.long_running.key = report.key
    out.long_running.run_id = report.run_id
    out.long_running.duration_seconds = report.duration


def _replicas_added(report: instructions.ReportReplicasAdded, out: WorkerReport) -> None:
    out.replicas_added.kept = report.kept
    add = out.replicas_added.data.add
    for key, nbytes in report.sizes.items():
        add(key=key, nbytes=nbytes)


def _replicas_removed(report: instructions.ReportReplicasRemoved, out: WorkerReport) -> None:
    out.replicas_removed.keys.extend(report.keys)


def _data_missing(report: instructions.ReportDataMissing, out: WorkerReport) -> None:
    out.data_missing.key = report.key
    out.data_missing.worker = report.worker


def _steal_answer(report: instructions.ReportStealAnswer, out: WorkerReport) -> None:
    out.steal_answer.key = report.key
    out.steal_answer.run_id = report.run_id
    out.steal_answer.state = report.state


def _status(report: StatusReport, out: WorkerReport) -> None:
    out.status_changed.status = report.status


def _resources(report: ResourcesReport, out: WorkerReport) -> None:
    out.resources_changed.resources.update(report.resources)


def _run(report: RunReport, out: WorkerReport) -> None:
    details = out.run_details
    details.key = report.key
    details.run_id = report.run_id
    if report.run is not None:
        details.thread = report.run.thread
        fill_activities(details, report.run)
        details.type = _pickled_type(report.run.result_type)
    if report.metadata:
        try:
            details.metadata = encode_plain(dict(report.metadata), "metadata")
        except TypeError as error:
            logger.warning("The metadata of task %s cannot be sent: %s", report.key, error)


@lru_cache(256)
def _pickled_type(kind: type | None) -> bytes:
    """Return a type pickled by reference; empty if it cannot be imported elsewhere."""
    if kind is None or kind.__module__ == "__main__":
        return b""
    try:
        return pickle.dumps(kind)
    except (pickle.PicklingError, AttributeError, TypeError):
        return b""


def _goodbye(report: GoodbyeReport, out: WorkerReport) -> None:
    out.goodbye.SetInParent()
    out.goodbye.reason = report.reason


def _log_event(report: event_service_pb2.LogEvent, out: WorkerReport) -> None:
    out.log_event.CopyFrom(report)


_FILLERS: dict[type, Callable[[Any, WorkerReport], None]] = {
    instructions.ReportFinished: _finished,
    instructions.ReportErred: _erred,
    instructions.ReportTimedOut: _timed_out,
    instructions.ReportRescheduled: _rescheduled,
    instructions.ReportLongRunning: _long_running,
    instructions.ReportReplicasAdded: _replicas_added,
    instructions.ReportReplicasRemoved: _replicas_removed,
    instructions.ReportDataMissing: _data_missing,
    instructions.ReportStealAnswer: _steal_answer,
    StatusReport: _status,
    ResourcesReport: _resources,
    FunctionsReport: lambda report, out: out.functions_changed.CopyFrom(report.functions),
    RunReport: _run,
    GoodbyeReport: _goodbye,
    event_service_pb2.LogEvent: _log_event,
}

REPORTS = frozenset(_FILLERS)
"""The types of reports to the scheduler."""


def encode_reports(reports: list[Report]) -> Iterable[worker_session_pb2.ComputeRequest]:
    """Yield the messages that carry reports, in order."""
    for start in range(0, len(reports), _BATCH):
        message = worker_session_pb2.ComputeRequest()
        add = message.reports.add
        for report in reports[start : start + _BATCH]:
            _FILLERS[type(report)](report, add())
        yield message
