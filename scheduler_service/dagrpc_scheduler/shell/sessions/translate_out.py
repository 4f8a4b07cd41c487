"""Encodes instructions of the core as messages to clients and workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dagrpc.v1 import client_session_pb2, event_service_pb2, failure_pb2, worker_session_pb2
from dagrpc.v1.client_session_pb2 import ClientEvent, UpdateGraphResponse
from dagrpc.v1.common_pb2 import DataRef
from dagrpc.v1.worker_session_pb2 import ComputeResponse, WorkerCommand
from dagrpc_scheduler.coordination.operations import Answer
from dagrpc_scheduler.core import instructions
from dagrpc_scheduler.core.events import NO_OPTIONS, TaskOptions
from dagrpc_scheduler.shell.coordination.coordination_shell import write_answer
from dagrpc_scheduler.shell.sessions.translate_in import InlineResult

_BATCH_LIMIT = 5_000
"""Items of one message; a batch that grew because its peer is slow goes out in several messages."""

_CORE_FAILURES = {
    "killed-worker": failure_pb2.FAILURE_KIND_KILLED_WORKER,
    "lost-actor": failure_pb2.FAILURE_KIND_LOST_ACTOR,
    "lost-data": failure_pb2.FAILURE_KIND_LOST_DATA,
    "no-valid-worker": failure_pb2.FAILURE_KIND_NO_VALID_WORKER,
}
_CORE_TYPES = {
    "killed-worker": "dagrpc.exceptions.KilledWorker",
    "lost-actor": "dagrpc.exceptions.LostActorError",
    "lost-data": "dagrpc.exceptions.FutureCancelledError",
    "no-valid-worker": "dagrpc.exceptions.NoValidWorkerError",
}


def failure_message(failure: Any, origin_key: str) -> failure_pb2.Failure:
    """Return a failure, of a worker or of the core, as a message."""
    if isinstance(failure, instructions.CoreFailure):
        return failure_pb2.Failure(
            kind=_CORE_FAILURES[failure.kind],
            type_name=_CORE_TYPES[failure.kind],
            message=failure.message,
            origin_key=origin_key,
            worker=failure.worker,
            worker_deaths=failure.deaths,
            worker_exit=failure.exit,
            worker_loss=failure.loss,
        )
    message = failure_pb2.Failure()
    message.CopyFrom(failure)
    message.origin_key = origin_key
    return message


# --- to clients --------------------------------------------------------------------------------------------------


class ClientEncoder:
    """Makes messages for one client, with results and failures in the encodings that it reads.

    Parameters
    ----------
    encodings : iterable of str
        Their names; empty: all.
    inline_limit : int
        Size of an inline result in bytes, at most.
    """

    def __init__(self, encodings: Iterable[str], inline_limit: int) -> None:
        self._encodings = frozenset(encodings)
        self._reads_pickles = not self._encodings or "pickle" in self._encodings
        self._limit = inline_limit
        self._events = dict(_CLIENT_EVENTS)
        self._events[instructions.ReportFinished] = self._finished
        if not self._reads_pickles:
            self._events[instructions.ReportErred] = _erred_in_words

    def __call__(self, batch: list[Any]) -> Iterator[UpdateGraphResponse]:
        """Yield the messages that carry instructions and other items to the client."""
        events = self._events
        for start in range(0, len(batch), _BATCH_LIMIT):
            message = UpdateGraphResponse()
            add = message.events.add
            for item in batch[start : start + _BATCH_LIMIT]:
                events[type(item)](item, add())
            yield message

    def _finished(self, instruction: instructions.ReportFinished, event: ClientEvent) -> None:
        message = event.finished
        message.key = instruction.key
        message.type_name = instruction.type_name
        message.nbytes = instruction.nbytes
        payload = instruction.payload
        if payload is None:
            return
        if type(payload) is InlineResult:
            payload = payload.pickled if self._reads_pickles else payload.plain
        if payload is None or len(payload.data) > self._limit:
            return
        if not self._encodings or payload.encoding in self._encodings:
            message.payload.CopyFrom(payload)


def _erred_in_words(instruction: instructions.ReportErred, event: ClientEvent) -> None:
    """Report a failure without its pickled exception."""
    _erred(instruction, event)
    event.erred.failure.ClearField("exception")


def _erred(instruction: instructions.ReportErred, event: ClientEvent) -> None:
    event.erred.key = instruction.key
    event.erred.failure.CopyFrom(failure_message(instruction.failure, instruction.origin_key))


def _lost(instruction: instructions.ReportLost, event: ClientEvent) -> None:
    event.lost.key = instruction.key


def _cancelled(instruction: instructions.ReportCancelled, event: ClientEvent) -> None:
    event.cancelled.key = instruction.key
    event.cancelled.reason = instruction.reason
    event.cancelled.message = instruction.message


def _retried(instruction: instructions.ReportRetried, event: ClientEvent) -> None:
    event.retried.key = instruction.key


def _rejected(instruction: instructions.RejectGraph, event: ClientEvent) -> None:
    event.rejected.graph_id = instruction.graph_id
    event.rejected.keys.extend(instruction.keys)
    event.rejected.message = instruction.message
    event.rejected.reason = instruction.reason


def _pong(message: client_session_pb2.Pong, event: ClientEvent) -> None:
    event.pong.CopyFrom(message)


def _topic_event(message: event_service_pb2.TopicEvent, event: ClientEvent) -> None:
    event.topic_event.CopyFrom(message)


_CLIENT_EVENTS: dict[type[Any], Callable[[Any, ClientEvent], None]] = {
    instructions.ReportErred: _erred,
    instructions.ReportLost: _lost,
    instructions.ReportCancelled: _cancelled,
    instructions.ReportRetried: _retried,
    instructions.RejectGraph: _rejected,
    client_session_pb2.Pong: _pong,
    event_service_pb2.TopicEvent: _topic_event,
    client_session_pb2.CommandRefused: lambda refused, event: event.refused.CopyFrom(refused),
    client_session_pb2.SchedulerGoodbye: lambda goodbye, event: event.goodbye.CopyFrom(goodbye),
    Answer: lambda answer, event: write_answer(answer, event.coordinated),
}


# --- to workers --------------------------------------------------------------------------------------------------


class WorkerBatch:
    """Instructions for one worker in one message, with the tables that its tasks refer to."""

    def __init__(self) -> None:
        self.message = ComputeResponse()
        self._shared: dict[bytes, int] = {}
        self._addresses: dict[str, int] = {}

    def add(self, instruction: Any) -> None:
        """Add an instruction."""
        _WORKER_COMMANDS[type(instruction)](self, instruction, self.message.commands.add())

    def compute(self, instruction: instructions.ComputeTask, command: WorkerCommand) -> None:
        task = command.compute
        task.key = instruction.key
        task.run_id = instruction.run_id
        task.priority.extend(instruction.priority)
        if type(instruction.work) is bytes:
            task.run_spec = instruction.work
        else:
            task.call.CopyFrom(instruction.work)
        for digest, data in instruction.new_shared:
            self._share(digest, data)
        if instruction.shared:
            task.shared.extend([self._share(digest, None) for digest in instruction.shared])
        for key, nbytes, holders in instruction.dependencies:
            task.dependencies.add(key=key, nbytes=nbytes, holders=[self._address(holder) for holder in holders])
        task.duration_seconds = instruction.duration
        options = instruction.options
        if options is not NO_OPTIONS:
            _describe(options, task)

    def _share(self, digest: bytes, data: bytes | None) -> int:
        index = self._shared.get(digest)
        if index is None:
            index = self._shared[digest] = len(self._shared)
            self.message.shared.add(digest=digest, data=data or b"")
        elif data is not None:
            self.message.shared[index].data = data
        return index

    def _address(self, address: str) -> int:
        index = self._addresses.get(address)
        if index is None:
            index = self._addresses[address] = len(self._addresses)
            self.message.addresses.append(address)
        return index


def _describe(options: TaskOptions, task: worker_session_pb2.ComputeTask) -> None:
    for name, amount in options.resources.items():
        task.resources[name] = amount
    if options.actor:
        task.actor = True
    if options.executor:
        task.executor = options.executor
    if options.annotations:
        task.annotations = options.annotations
    if options.timeout:
        task.timeout_seconds = options.timeout


def _free(batch: WorkerBatch, instruction: instructions.FreeKeys, command: WorkerCommand) -> None:
    command.free.keys.extend(instruction.keys)
    if instruction.interrupt:
        command.free.interrupt = True
    if instruction.discard:
        command.free.discard = True


def _refs(data: Iterable[tuple[str, int, tuple[str, ...]]]) -> list[DataRef]:
    return [DataRef(key=key, nbytes=nbytes, workers=holders) for key, nbytes, holders in data]


def _steal(batch: WorkerBatch, instruction: instructions.RequestSteal, command: WorkerCommand) -> None:
    command.steal.key = instruction.key
    command.steal.run_id = instruction.run_id


def _close(batch: WorkerBatch, instruction: instructions.CloseWorker, command: WorkerCommand) -> None:
    command.close.CopyFrom(worker_session_pb2.CloseWorker(reason=instruction.reason, restart=instruction.restart))


def _end_shuffle(batch: WorkerBatch, instruction: instructions.EndShuffle, command: WorkerCommand) -> None:
    command.end_shuffle.shuffle_id = instruction.shuffle_id
    command.end_shuffle.run_id = instruction.run_id


_WORKER_COMMANDS: dict[type[Any], Callable[[WorkerBatch, Any, WorkerCommand], None]] = {
    instructions.ComputeTask: WorkerBatch.compute,
    instructions.FreeKeys: _free,
    instructions.RequestSteal: _steal,
    instructions.AcquireReplicas: lambda batch, instruction, command: command.acquire_replicas.data.extend(
        _refs(instruction.data)
    ),
    instructions.RemoveReplicas: lambda batch, instruction, command: command.remove_replicas.keys.extend(
        instruction.keys
    ),
    instructions.RefreshWhoHas: lambda batch, instruction, command: command.refresh_who_has.data.extend(
        _refs(instruction.data)
    ),
    instructions.FreeShared: lambda batch, instruction, command: command.free_shared.digests.extend(
        instruction.digests
    ),
    instructions.CloseWorker: _close,
    instructions.EndShuffle: _end_shuffle,
}


def worker_messages(items: list[instructions.Instruction]) -> Iterator[ComputeResponse]:
    """Yield the messages that carry instructions to a worker."""
    batch, count = WorkerBatch(), 0
    for item in items:
        batch.add(item)
        count += 1
        # A worker takes a message's shared values before it carries out the commands. An instruction after a
        # `FreeShared` may bring a freed value again, so it must go into the next message.
        if count == _BATCH_LIMIT or type(item) is instructions.FreeShared:
            yield batch.message
            batch, count = WorkerBatch(), 0
    if count:
        yield batch.message
