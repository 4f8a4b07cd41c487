"""The core's reports, and the shell's own, as messages to the scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from dagrpc.v1 import common_pb2, worker_session_pb2
from dagrpc_worker.core import instructions

WorkerReport = worker_session_pb2.WorkerReport


@dataclass(slots=True)
class StatusReport:
    """The worker can do more, or less, than before."""

    status: common_pb2.WorkerStatus


@dataclass(slots=True)
class GoodbyeReport:
    """The worker leaves."""

    reason: str


Report: TypeAlias = (
    instructions.ReportFinished
    | instructions.ReportErred
    | instructions.ReportRescheduled
    | instructions.ReportLongRunning
    | instructions.ReportReplicasAdded
    | instructions.ReportReplicasRemoved
    | instructions.ReportDataMissing
    | instructions.ReportStealAnswer
    | StatusReport
    | GoodbyeReport
)

_BATCH = 5_000
"""Reports in one message at most."""


def _finished(report: instructions.ReportFinished) -> WorkerReport:
    return WorkerReport(
        finished=worker_session_pb2.TaskFinished(
            key=report.key,
            run_id=report.run_id,
            nbytes=report.nbytes,
            type_name=report.type_name,
            start=report.start,
            stop=report.stop,
            payload=report.payload,
        )
    )


def _erred(report: instructions.ReportErred) -> WorkerReport:
    return WorkerReport(
        erred=worker_session_pb2.TaskErred(
            key=report.key, run_id=report.run_id, failure=report.failure, start=report.start, stop=report.stop
        )
    )


def _rescheduled(report: instructions.ReportRescheduled) -> WorkerReport:
    return WorkerReport(rescheduled=worker_session_pb2.TaskRescheduled(key=report.key, run_id=report.run_id))


def _long_running(report: instructions.ReportLongRunning) -> WorkerReport:
    message = worker_session_pb2.TaskLongRunning(key=report.key, run_id=report.run_id, duration_seconds=report.duration)
    return WorkerReport(long_running=message)


def _replicas_added(report: instructions.ReportReplicasAdded) -> WorkerReport:
    data = [common_pb2.DataRef(key=key, nbytes=nbytes) for key, nbytes in report.sizes.items()]
    return WorkerReport(replicas_added=worker_session_pb2.ReplicasAdded(data=data))


def _replicas_removed(report: instructions.ReportReplicasRemoved) -> WorkerReport:
    return WorkerReport(replicas_removed=worker_session_pb2.ReplicasRemoved(keys=report.keys))


def _data_missing(report: instructions.ReportDataMissing) -> WorkerReport:
    return WorkerReport(data_missing=worker_session_pb2.DataMissing(key=report.key, worker=report.worker))


def _steal_answer(report: instructions.ReportStealAnswer) -> WorkerReport:
    message = worker_session_pb2.StealAnswer(key=report.key, run_id=report.run_id, state=report.state)
    return WorkerReport(steal_answer=message)


def _status(report: StatusReport) -> WorkerReport:
    return WorkerReport(status_changed=worker_session_pb2.StatusChanged(status=report.status))


def _goodbye(report: GoodbyeReport) -> WorkerReport:
    return WorkerReport(goodbye=worker_session_pb2.WorkerGoodbye(reason=report.reason))


_TRANSLATORS: dict[type, Callable[[Any], WorkerReport]] = {
    instructions.ReportFinished: _finished,
    instructions.ReportErred: _erred,
    instructions.ReportRescheduled: _rescheduled,
    instructions.ReportLongRunning: _long_running,
    instructions.ReportReplicasAdded: _replicas_added,
    instructions.ReportReplicasRemoved: _replicas_removed,
    instructions.ReportDataMissing: _data_missing,
    instructions.ReportStealAnswer: _steal_answer,
    StatusReport: _status,
    GoodbyeReport: _goodbye,
}

REPORTS = frozenset(_TRANSLATORS)
"""The types of what goes to the scheduler."""


def encode_reports(reports: list[Report]) -> Iterable[worker_session_pb2.ComputeRequest]:
    """Yield the messages that carry reports, in order."""
    for start in range(0, len(reports), _BATCH):
        yield worker_session_pb2.ComputeRequest(
            reports=[_TRANSLATORS[type(report)](report) for report in reports[start : start + _BATCH]]
        )
