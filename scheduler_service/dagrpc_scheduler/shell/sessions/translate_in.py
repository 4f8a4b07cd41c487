"""Decodes messages of clients and workers into events of the core."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import client_session_pb2, common_pb2, graph_pb2, worker_session_pb2
from dagrpc_scheduler.core import events

FIRE_AND_FORGET = "fire-and-forget"
"""The stand-in client that wants tasks whose futures nobody holds."""

KEY_LIMIT = 16 * 1024
"""Longest key in bytes."""

STATUS_NAMES = {
    common_pb2.WORKER_STATUS_RUNNING: "running",
    common_pb2.WORKER_STATUS_PAUSED: "paused",
    common_pb2.WORKER_STATUS_RETIRING: "retiring",
    common_pb2.WORKER_STATUS_CLOSING: "closing",
    common_pb2.WORKER_STATUS_DISCONNECTED: "disconnected",
}


@dataclass(slots=True)
class InlineResult:
    """A small result of a call by name, in two encodings."""

    pickled: common_pb2.Payload | None
    plain: common_pb2.Payload
    """As `json` or `raw`."""


def graph_part(client: str, part: graph_pb2.GraphPart, stimulus: str) -> events.GraphSubmitted:
    """Return a graph part as an event; raise `InvalidRequestError` if the part contradicts itself."""
    digests = [shared.digest for shared in part.shared]
    option_table = [events.NO_OPTIONS, *map(_task_options, part.options)]
    tasks = []
    calls: dict[tuple[int, str], events.TaskOptions] = {}
    single: dict[tuple[int, ...], tuple[bytes, ...]] = {(index,): (digest,) for index, digest in enumerate(digests)}
    for spec in part.tasks:
        key = spec.key
        if not key or len(key) > KEY_LIMIT:
            raise InvalidRequestError(f"a key has from 1 to {KEY_LIMIT} bytes; got {len(key)}: {key[:80]!r}")
        try:
            shared = tuple(spec.shared)
            options = option_table[spec.options]
            if not spec.run_spec:
                options = calls.get((spec.options, spec.call.entrypoint)) or _call_options(options, spec, calls)
            tasks.append(
                events.NewTask(
                    key,
                    tuple(spec.dependencies),
                    spec.run_spec or _other_work(spec),
                    single.get(shared) or tuple(digests[index] for index in shared),
                    options,
                    spec.order,
                    spec.wanted,
                )
            )
        except IndexError:
            raise InvalidRequestError(f"task {key!r} refers to a shared value or options that the part lacks") from None
    return events.GraphSubmitted(
        client,
        part.graph_id,
        tasks,
        part.last,
        {shared.digest: shared.data for shared in part.shared if shared.data},
        part.fifo_timeout_seconds,
        stimulus,
        any(options.span is not None for options in option_table),
        part.submitter,
        part.groups,
    )


def _call_options(
    options: events.TaskOptions, spec: graph_pb2.TaskSpec, known: dict[tuple[int, str], events.TaskOptions]
) -> events.TaskOptions:
    """Return options that name the function of a call, and note them for the calls that follow in the part."""
    function = spec.call.entrypoint
    found = call_options(function) if options is events.NO_OPTIONS else replace(options, function=function)
    known[spec.options, function] = found
    return found


@lru_cache(1_000)
def call_options(function: str) -> events.TaskOptions:
    """Return the options of calls that have none but their function: one object for all, which the core remembers."""
    return events.TaskOptions(function=function)


def abilities(functions: worker_session_pb2.ExportedFunctions | None, refuses_code: bool) -> events.Abilities:
    """Return what a worker can run; None: the worker does not say which functions it has."""
    if functions is None:
        return events.Abilities(takes_code=False) if refuses_code else events.ALL_ABILITIES
    return events.Abilities(frozenset(functions.names), tuple(functions.patterns), not refuses_code)


def _other_work(spec: graph_pb2.TaskSpec) -> Any:
    """Return the work of a task that is not a Python run spec."""
    if spec.WhichOneof("work") == "call":
        dependencies = set(spec.dependencies)
        for argument in (*spec.call.arguments, *spec.call.keyword_arguments.values()):
            if argument.WhichOneof("source") == "task" and argument.task not in dependencies:
                raise InvalidRequestError(
                    f"an argument of task {spec.key[:200]!r} is the result of {argument.task[:200]!r}, which is not "
                    "among its dependencies"
                )
        # Copied, because a part of a message keeps the whole message alive.
        return graph_pb2.Call.FromString(spec.call.SerializeToString())
    raise InvalidRequestError(f"task {spec.key[:200]!r} has nothing to run: set `run_spec` or `call`")


def _span(annotations: str) -> events.SpanName | None:
    """Return the span among annotations; None if there is none or it is malformed."""
    if '"span"' not in annotations:
        return None
    try:
        span = json.loads(annotations)["span"]
        names, ids = tuple(map(str, span["name"])), tuple(map(str, span["ids"]))
    except (KeyError, TypeError, ValueError):
        return None
    return events.SpanName(names, ids) if names and len(names) == len(ids) else None


def _task_options(options: graph_pb2.TaskOptions) -> events.TaskOptions:
    resources = dict(options.resources)
    for name, amount in resources.items():
        if not amount > 0:
            raise InvalidRequestError(f"resource {name!r} has amount {amount!r}; it must be above 0")
    if not 0.0 <= options.timeout_seconds < math.inf:
        raise InvalidRequestError(f"the timeout of a task is {options.timeout_seconds!r} s; it must be finite, or 0")
    return events.TaskOptions(
        tuple(options.workers),
        options.allow_other_workers,
        resources,
        options.retries,
        options.priority,
        options.actor,
        options.executor,
        options.annotations,
        _span(options.annotations) if options.annotations else None,
        options.timeout_seconds,
    )


def _amounts(resources: Any) -> dict[str, float]:
    """Return the resources that a worker offers; raise `InvalidRequestError` for an impossible amount."""
    for name, amount in resources.items():
        if not amount >= 0:
            raise InvalidRequestError(f"resource {name!r} has amount {amount!r}; it must be at least 0")
    return dict(resources)


def _shared(values: Any) -> dict[bytes, bytes]:
    return {value.digest: value.data for value in values}


_CLIENT_COMMANDS: dict[str, Callable[[str, Any, str], events.Event]] = {
    "graph": graph_part,
    "want": lambda client, m, stimulus: events.KeysWanted(
        FIRE_AND_FORGET if m.until_done else client, list(m.keys), stimulus
    ),
    "release": lambda client, m, stimulus: events.KeysReleased(client, list(m.keys), stimulus),
    "cancel": lambda client, m, stimulus: events.KeysCancelled(
        client, list(m.keys), m.force, m.reason or "unknown", m.message, stimulus, m.interrupt
    ),
    "retry": lambda client, m, stimulus: events.KeysRetried(client, list(m.keys), stimulus),
    "hold_shared": lambda client, m, stimulus: events.SharedHeld(client, _shared(m.shared)),
    "release_shared": lambda client, m, stimulus: events.SharedReleased(client, list(m.digests)),
}


def client_event(client: str, command: client_session_pb2.ClientCommand, stimulus: str) -> events.Event | None:
    """Return a client's command as an event; None if the core does not need it.

    Raises `InvalidRequestError` if the command is malformed.
    """
    kind = command.WhichOneof("command")
    if kind is None:
        raise InvalidRequestError("a client's command is empty, or of a kind that this scheduler does not know")
    translate = _CLIENT_COMMANDS.get(kind)
    return None if translate is None else translate(client, getattr(command, kind), stimulus)


def _finished(worker: str, m: worker_session_pb2.TaskFinished, stimulus: str) -> events.Event:
    payload: Any = m.payload if m.HasField("payload") else None
    if m.HasField("plain"):
        payload = InlineResult(payload, m.plain)
    return events.TaskFinished(worker, m.key, m.run_id, m.nbytes, m.type_name, m.start, m.stop, payload, stimulus)


_WORKER_REPORTS: dict[str, Callable[[str, Any, str], events.Event | None]] = {
    "finished": _finished,
    "erred": lambda worker, m, stimulus: events.TaskErred(
        worker, m.key, m.run_id, type(m.failure).FromString(m.failure.SerializeToString()), m.start, m.stop, stimulus
    ),
    "rescheduled": lambda worker, m, stimulus: events.TaskRescheduled(worker, m.key, m.run_id, stimulus),
    "long_running": lambda worker, m, stimulus: events.TaskLongRunning(
        worker, m.key, m.run_id, m.duration_seconds, stimulus
    ),
    "replicas_added": lambda worker, m, stimulus: events.ReplicasAdded(
        worker, {ref.key: ref.nbytes for ref in m.data}, stimulus, m.kept
    ),
    "replicas_removed": lambda worker, m, stimulus: events.ReplicasRemoved(worker, list(m.keys), stimulus),
    "steal_answer": lambda worker, m, stimulus: events.StealAnswered(worker, m.key, m.run_id, m.state, stimulus),
    "data_missing": lambda worker, m, stimulus: events.DataMissing(worker, m.key, m.worker, stimulus),
    "resources_changed": lambda worker, m, stimulus: events.WorkerResourcesChanged(
        worker, _amounts(m.resources), stimulus
    ),
    "status_changed": lambda worker, m, stimulus: events.WorkerStatusChanged(
        worker, STATUS_NAMES.get(m.status, "running"), stimulus
    ),
}


def worker_events(worker: str, reports: Iterable[worker_session_pb2.WorkerReport], stimulus: str) -> list[events.Event]:
    """Return a worker's reports as events, without the reports that the core does not need."""
    translated = []
    for report in reports:
        kind = report.WhichOneof("report")
        translate = _WORKER_REPORTS.get(kind) if kind is not None else None
        if translate is not None:
            event = translate(worker, getattr(report, kind), stimulus)
            if event is not None:
                translated.append(event)
    return translated
