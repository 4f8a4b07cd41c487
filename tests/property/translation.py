"""The translation that the shells do, without messages in between: from one core's records to the other's."""

from __future__ import annotations

from typing import Any

from dagrpc_scheduler.core import events as scheduler_events
from dagrpc_scheduler.core import instructions as scheduler_instructions
from dagrpc_worker.core import events as worker_events
from dagrpc_worker.core import instructions

STATUS: dict[type, str] = {
    scheduler_instructions.ReportFinished: "finished",
    scheduler_instructions.ReportErred: "erred",
    scheduler_instructions.ReportLost: "pending",
    scheduler_instructions.ReportCancelled: "cancelled",
    scheduler_instructions.ReportRetried: "pending",
}


def order_of(instruction: Any) -> worker_events.Event | None:
    """Translate an instruction of the scheduler into an event of the worker."""
    match instruction:
        case scheduler_instructions.ComputeTask():
            options = instruction.options
            return worker_events.ComputeRequested(
                instruction.key,
                instruction.run_id,
                instruction.priority,
                instruction.work,
                instruction.dependencies,
                options.resources,
                options.actor,
                options.executor,
                options.annotations,
                instruction.duration,
            )
        case scheduler_instructions.FreeKeys():
            return worker_events.KeysFreed(instruction.keys, discard=instruction.discard)
        case scheduler_instructions.RequestSteal():
            return worker_events.StealRequested(instruction.key, instruction.run_id)
        case scheduler_instructions.AcquireReplicas():
            return worker_events.ReplicasRequested(instruction.data)
        case scheduler_instructions.RemoveReplicas():
            return worker_events.ReplicasUnwanted(instruction.keys)
        case scheduler_instructions.RefreshWhoHas():
            return worker_events.WhoHasRefreshed(instruction.data)
    return None


def report_of(worker: str, instruction: instructions.Instruction) -> scheduler_events.Event | None:
    """Translate an instruction of the worker into an event of the scheduler."""
    match instruction:
        case instructions.ReportFinished(key, run_id, nbytes, type_name, start, stop, payload):
            return scheduler_events.TaskFinished(worker, key, run_id, nbytes, type_name, start, stop, payload)
        case instructions.ReportErred(key, run_id, failure, start, stop):
            return scheduler_events.TaskErred(worker, key, run_id, failure, start, stop)
        case instructions.ReportRescheduled(key, run_id):
            return scheduler_events.TaskRescheduled(worker, key, run_id)
        case instructions.ReportLongRunning(key, run_id, duration):
            return scheduler_events.TaskLongRunning(worker, key, run_id, duration)
        case instructions.ReportReplicasAdded(sizes, kept):
            return scheduler_events.ReplicasAdded(worker, sizes, kept=kept)
        case instructions.ReportReplicasRemoved(keys):
            return scheduler_events.ReplicasRemoved(worker, keys)
        case instructions.ReportStealAnswer(key, run_id, answer):
            return scheduler_events.StealAnswered(worker, key, run_id, answer)
        case instructions.ReportDataMissing(key, holder):
            return scheduler_events.DataMissing(worker, key, holder)
    return None
