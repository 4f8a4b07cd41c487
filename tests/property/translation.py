"""What the shells translate, without messages in between: the cores' words for the same things."""

from __future__ import annotations

from typing import Any

from dagrpc_scheduler.core import events as scheduler_events
from dagrpc_scheduler.core import instructions as effects
from dagrpc_worker.core import events as worker_events
from dagrpc_worker.core import instructions

TO_CLIENT = (
    effects.ReportFinished,
    effects.ReportErred,
    effects.ReportLost,
    effects.ReportCancelled,
    effects.ReportRetried,
    effects.RejectGraph,
)
STATUS: dict[type, str] = {
    effects.ReportFinished: "finished",
    effects.ReportErred: "erred",
    effects.ReportLost: "pending",
    effects.ReportCancelled: "cancelled",
    effects.ReportRetried: "pending",
}


def order_of(effect: Any) -> worker_events.Event | None:
    """Translate what the scheduler asks for into what the worker is asked for."""
    match effect:
        case effects.ComputeTask():
            options = effect.options
            return worker_events.ComputeRequested(
                effect.key,
                effect.run_id,
                effect.priority,
                effect.work,
                effect.dependencies,
                options.resources,
                options.actor,
                options.executor,
                options.annotations,
                effect.duration,
            )
        case effects.FreeKeys():
            return worker_events.KeysFreed(effect.keys, discard=effect.discard)
        case effects.AskToGiveUp():
            return worker_events.StealRequested(effect.key, effect.run_id)
        case effects.AcquireReplicas():
            return worker_events.ReplicasRequested(effect.data)
        case effects.RemoveReplicas():
            return worker_events.ReplicasUnwanted(effect.keys)
        case effects.RefreshWhoHas():
            return worker_events.WhoHasRefreshed(effect.data)
    return None


def report_of(worker: str, instruction: instructions.Instruction) -> scheduler_events.Event | None:
    """Translate what a worker reports into what happens to the scheduler."""
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
