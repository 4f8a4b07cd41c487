"""InquiryService: the progress and the details of submitted tasks."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from dagrpc.exceptions import InvalidRequestError, UnknownKeyError
from dagrpc.v1 import common_pb2
from dagrpc.v1 import inquiry_service_pb2 as pb
from dagrpc_scheduler.core import progress, task_details
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.span_views import span_facts
from dagrpc_scheduler.shell.sessions.translate_out import failure_message

_INTERVAL = 0.1
_LONGEST_INTERVAL = 60.0
_SHARE = 0.02
"""Share of the scheduler's time that one watcher may take ..."""
_LONGEST_PAUSE = 2.0
"""... unless it would have to wait longer than this many seconds."""


class InquiryServicer:
    """Answers questions about submitted tasks; each method is the rpc of its name."""

    def __init__(self, core: SchedulerCore) -> None:
        self._core = core

    async def WatchProgress(self, request: pb.WatchProgressRequest, context: Any) -> None:
        if request.keys and request.groups:
            raise InvalidRequestError("give either `keys` or `groups`, not both")
        core = self._core
        tracker = await self._tracker(request)
        interval = min(max(request.interval_seconds or _INTERVAL, 0.01), _LONGEST_INTERVAL)
        last = None
        while True:
            start = time.perf_counter()
            for _ in tracker.recount(core):
                await asyncio.sleep(0)
            groups = tracker.groups
            over = progress.is_over(groups)
            if groups != last or over:
                answer = _answer(groups, over)
                failure = task_details.failure_of(core, tracker.failed)
                if failure is not None:
                    answer.failure.CopyFrom(failure_message(*failure))
                await context.write(answer.SerializeToString())
                last = groups
            if over:
                return
            await asyncio.sleep(max(interval, min((time.perf_counter() - start) / _SHARE, _LONGEST_PAUSE)))

    async def _tracker(self, request: pb.WatchProgressRequest) -> progress.ProgressTracker:
        core = self._core
        tracker = progress.ProgressTracker(request.only_unfinished)
        if request.groups:
            tracker.add_groups(core, {group.name: group.keys for group in request.groups})
            return tracker
        label = progress.by_span if request.grouping == pb.PROGRESS_GROUPING_SPAN else progress.by_prefix
        for _ in tracker.add_below(core, request.keys, label):
            # The scheduler's other work goes on meanwhile.
            await asyncio.sleep(0)
        return tracker

    async def ListTasksBelow(self, request: pb.ListTasksBelowRequest, context: Any) -> None:
        for found in progress.keys_below(self._core, list(request.keys)):
            message = pb.ListTasksBelowResponse(keys=[task.key for task in found])
            await context.write(message.SerializeToString())

    async def GetSpans(self, request: pb.GetSpansRequest) -> pb.GetSpansResponse:
        now = time.time()
        core = self._core
        return pb.GetSpansResponse(
            spans=[_span(facts) for facts in span_facts(core, now)],
            threads=[pb.ThreadCount(since=since, count=count) for since, count in core.state.spans.threads],
            time=now,
        )

    async def GetTaskWork(self, request: pb.GetTaskWorkRequest) -> pb.GetTaskWorkResponse:
        found = task_details.task_work(self._core, request.key, request.failed_first)
        if found is None:
            raise UnknownKeyError(f"There is no task {request.key!r}")
        response = pb.GetTaskWorkResponse(
            key=found.key,
            state=found.state,
            dependencies=found.dependencies,
            run_spec=found.work if isinstance(found.work, bytes) else b"",
            shared=[common_pb2.SharedPayload(digest=digest, data=data) for digest, data in found.shared],
        )
        if found.failure is not None:
            response.failure.CopyFrom(failure_message(found.failure, found.origin_key))
        return response


def _span(facts: dict[str, Any]) -> pb.SpanInfo:
    names = ("id", "name", "parent", "enqueued", "start", "stop", "states", "seconds", "nbytes", "groups")
    # Users' metadata may be anything.
    metadata = json.dumps(facts["metadata"], default=str) if facts["metadata"] else ""
    return pb.SpanInfo(**{name: facts[name] for name in names}, metadata=metadata)


def _answer(groups: list[progress.GroupCounts], over: bool) -> pb.WatchProgressResponse:
    return pb.WatchProgressResponse(
        groups=[
            pb.GroupProgress(
                name=group.name,
                total=group.total,
                finished=group.finished,
                erred=group.states.get("erred", 0),
                processing=group.states.get("processing", 0),
                queued=group.states.get("queued", 0),
                no_worker=group.states.get("no-worker", 0),
                waiting=group.states.get("waiting", 0),
            )
            for group in groups
        ],
        done=over,
    )
