"""The commands of a client to the scheduler, and their encoding.

Commands are plain objects that any thread queues. The IO loop encodes them in as few messages as possible: calls that
were submitted one after the other share a graph part, releases share a list.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from dagrpc._client.key_table import KeyState
from dagrpc._common.running_task import submitter
from dagrpc.v1 import client_session_pb2, coordination_pb2, event_service_pb2, graph_pb2

PART_TASKS = 1_000
"""Tasks in one graph part at most."""
PART_BYTES = 1 << 20
"""Bytes at which a graph part is full."""
_TASK_OVERHEAD = 48

Digest: TypeAlias = bytes
Request: TypeAlias = client_session_pb2.UpdateGraphRequest


class Call:
    """One call of a function, submitted alone."""

    __slots__ = ("code", "dependencies", "digest", "fifo_timeout", "options", "run_spec", "submitter", "wire_key")

    def __init__(
        self,
        wire_key: str,
        run_spec: bytes,
        digest: Digest | None,
        dependencies: Sequence[str],
        options: graph_pb2.TaskOptions | None,
        fifo_timeout: float,
    ) -> None:
        self.wire_key = wire_key
        self.run_spec = run_spec
        self.digest = digest
        """Digest of the function; None if the run spec contains the function."""
        self.dependencies = dependencies
        self.options = options
        self.fifo_timeout = fifo_timeout
        self.code: Sequence[str] = ()
        self.submitter = submitter()


TaskRecord: TypeAlias = tuple[str, Sequence[str], bytes, Sequence[int], int, int, bool]
"""Key, dependencies, run spec, positions of shared values, position of options plus one, order, wanted."""


@dataclass(slots=True)
class Part:
    """A part of a graph."""

    graph_id: str
    fifo_timeout: float = 0.0
    last: bool = False
    shared: list[tuple[Digest, bytes]] = field(default_factory=list)
    options: list[graph_pb2.TaskOptions] = field(default_factory=list)
    tasks: list[TaskRecord] = field(default_factory=list)
    nbytes: int = 0
    code: Sequence[str] = ()
    """Code that submitted the graph, if the configuration asks for it."""
    submitter: str = field(default_factory=submitter)
    """The task that submits the graph."""
    groups: Iterable[str] = ()
    """See `GraphPart.groups`."""

    def add(self, task: TaskRecord) -> None:
        """Add a task."""
        self.tasks.append(task)
        self.nbytes += len(task[2]) + len(task[0]) + _TASK_OVERHEAD

    @property
    def full(self) -> bool:
        """Whether the part has reached its size limit."""
        return len(self.tasks) >= PART_TASKS or self.nbytes >= PART_BYTES


@dataclass(slots=True)
class Want:
    """Want the results of existing tasks."""

    keys: Sequence[str]
    until_done: bool = False
    """Whether the scheduler itself wants the results until the tasks are done, whatever the client does."""


@dataclass(slots=True)
class Cancel:
    """Cancel tasks."""

    keys: Sequence[str]
    force: bool
    reason: str
    message: str


@dataclass(slots=True)
class Retry:
    """Run failed tasks again."""

    keys: Sequence[str]


@dataclass(slots=True)
class HoldShared:
    """Store a shared blob on the scheduler."""

    digest: Digest
    data: bytes


@dataclass(slots=True)
class ReleaseShared:
    """Release shared blobs."""

    digests: Sequence[Digest]


@dataclass(slots=True)
class Ping:
    """Ask for an answer once all earlier commands have been carried out."""

    token: int


Coordinate: TypeAlias = coordination_pb2.Coordinate
Message: TypeAlias = (
    Coordinate
    | graph_pb2.GraphPart
    | event_service_pb2.LogEvent
    | event_service_pb2.SubscribeTopics
    | event_service_pb2.UnsubscribeTopics
    | client_session_pb2.ClientGoodbye
)
"""Commands that are messages already."""

Command: TypeAlias = Call | Part | Want | KeyState | Cancel | Retry | HoldShared | ReleaseShared | Ping | Message
"""A `KeyState` as a command releases its key."""


_FIELDS: dict[type, str] = {
    graph_pb2.GraphPart: "graph",
    coordination_pb2.Coordinate: "coordinate",
    event_service_pb2.LogEvent: "log_event",
    event_service_pb2.SubscribeTopics: "subscribe",
    event_service_pb2.UnsubscribeTopics: "unsubscribe",
    client_session_pb2.ClientGoodbye: "goodbye",
}
"""Fields of a `ClientCommand` by type of message."""


class _Batch:
    """A message that is being made."""

    def __init__(self) -> None:
        self.request = Request()
        self.size = 0
        self._calls: graph_pb2.GraphPart | None = None
        self._call_timeout = 0.0
        self._call_submitter = ""
        self._digests: dict[Digest, int] = {}
        self._options: dict[int, int] = {}
        self._released: client_session_pb2.ReleaseKeys | None = None

    def add(self, command: Command) -> None:
        """Add a command."""
        kind = type(command)
        if kind is Call:
            self._released = None
            self._add_call(command)  # type: ignore[arg-type]
            return
        if kind is KeyState:
            self._calls = None
            if self._released is None:
                self._released = self.request.commands.add().release
            self._released.keys.append(command.wire_key)  # type: ignore[union-attr]
            self.size += 40
            return
        self._calls = self._released = None
        new = self.request.commands.add()
        name = _FIELDS.get(kind)
        if name is not None:
            getattr(new, name).CopyFrom(command)
            self.size += command.ByteSize()  # type: ignore[union-attr]
            return
        match command:
            case Part():
                self._add_part(new.graph, command)
            case Want(keys, until_done):
                new.want.keys.extend(keys)
                new.want.until_done = until_done
            case Cancel(keys, force, reason, message):
                new.cancel.keys.extend(keys)
                new.cancel.force, new.cancel.reason, new.cancel.message = force, reason, message
            case Retry(keys):
                new.retry.keys.extend(keys)
            case HoldShared(digest, data):
                new.hold_shared.shared.add(digest=digest, data=data)
                self.size += len(data)
            case ReleaseShared(digests):
                new.release_shared.digests.extend(digests)
            case Ping(token):
                new.ping.token = token

    def _add_call(self, call: Call) -> None:
        part = self._calls
        if part is None or self._call_timeout != call.fifo_timeout or self._call_submitter != call.submitter:
            part = self._calls = self.request.commands.add().graph
            part.graph_id = uuid.uuid4().hex
            part.last = True
            part.fifo_timeout_seconds = self._call_timeout = call.fifo_timeout
            part.submitter = self._call_submitter = call.submitter
            part.code.extend(call.code)
            self._digests, self._options = {}, {}
        positions: tuple[int, ...] = ()
        if call.digest is not None:
            position = self._digests.get(call.digest)
            if position is None:
                position = self._digests[call.digest] = len(self._digests)
                part.shared.add(digest=call.digest)
            positions = (position,)
        options = 0
        if call.options is not None:
            options = self._options.get(id(call.options), 0)
            if not options:
                part.options.append(call.options)
                options = self._options[id(call.options)] = len(part.options)
        part.tasks.add(
            key=call.wire_key,
            dependencies=call.dependencies,
            run_spec=call.run_spec,
            shared=positions,
            options=options,
            wanted=True,
        )
        self.size += len(call.run_spec) + len(call.wire_key) + _TASK_OVERHEAD

    def _add_part(self, target: graph_pb2.GraphPart, part: Part) -> None:
        target.graph_id = part.graph_id
        target.last = part.last
        target.fifo_timeout_seconds = part.fifo_timeout
        target.submitter = part.submitter
        target.code.extend(part.code)
        target.groups.extend(part.groups)
        for digest, data in part.shared:
            target.shared.add(digest=digest, data=data)
            self.size += len(data)
        target.options.extend(part.options)
        add = target.tasks.add
        for key, dependencies, run_spec, shared, options, order, wanted in part.tasks:
            add(
                key=key,
                dependencies=dependencies,
                run_spec=run_spec,
                shared=shared,
                options=options,
                order=order,
                wanted=wanted,
            )
        self.size += part.nbytes


def encode_commands(commands: Iterable[Command]) -> Iterator[Request]:
    """Yield messages of about 1 MiB at most with all commands, in order."""
    batch = _Batch()
    for command in commands:
        batch.add(command)
        if batch.size >= PART_BYTES:
            yield batch.request
            batch = _Batch()
    if batch.request.commands:
        yield batch.request
