"""Answers to a viewer's single questions as JSON: one task, one worker, a log, call stacks, a profile."""

from __future__ import annotations

import dataclasses
import math
import time
from itertools import islice
from typing import Any

from aiohttp import web

from dagrpc._http.application import json_response
from dagrpc._process import log_buffer
from dagrpc.exceptions import DagrpcError
from dagrpc.v1 import diagnostics_service_pb2 as pb
from dagrpc.v1 import log_service_pb2
from dagrpc_scheduler.core import task_details, views
from dagrpc_scheduler.http.dashboard.scanned_tables import error_row
from dagrpc_scheduler.http.json_routes import worker_identity
from dagrpc_scheduler.http.memory_history import MemoryHistory
from dagrpc_scheduler.http.sources import SchedulerSources
from dagrpc_scheduler.shell.sessions.translate_out import failure_message

_MOST_KEYS = 200
_LOG_LINES = 500
_MOST_WORKERS = 20
"""How many of the workers that a task was at are asked for their lines about it: the last ones."""
_SUBJECTS = {
    "tasks": pb.PROFILE_SUBJECT_TASKS,
    "workers": pb.PROFILE_SUBJECT_WORKER_LOOPS,
    "scheduler": pb.PROFILE_SUBJECT_SCHEDULER,
}
_SMALLEST_SHARE = 2_000
"""Functions in less than one of so many samples are left out of a profile."""


class DashboardDetails:
    """Answers single questions with JSON.

    Parameters
    ----------
    sources : SchedulerSources
        The scheduler's parts that the answers come from.
    memory : MemoryHistory
        The use of memory until now.
    """

    def __init__(self, sources: SchedulerSources, memory: MemoryHistory) -> None:
        self._sources = sources
        self._memory = memory

    def routes(self) -> list[web.RouteDef]:
        """Return the paths and their handlers."""
        return [
            web.get("/details/task.json", self.task),
            web.get("/details/worker.json", self.worker),
            web.get("/details/memory.json", self.memory),
            web.get("/details/log.json", self.log),
            web.get("/details/task-log.json", self.task_log),
            web.get("/details/stacks.json", self.stacks),
            web.get("/details/profile.json", self.profile),
        ]

    async def task(self, request: web.Request) -> web.Response:
        """Return one task with its story; of a task that was forgotten, only the story."""
        key = _asked(request, "key")
        core = self._sources.core
        info, found = views.task_info(core, key), task_details.failure_of(core, key)
        answer: dict[str, Any] = {"key": key, "known": info is not None}
        if info is not None:
            answer |= dataclasses.asdict(info)
            for name in ("dependencies", "dependents"):
                answer[name], answer[f"{name}_count"] = answer[name][:_MOST_KEYS], len(answer[name])
        answer["failure"] = error_row(failure_message(*found)) if found is not None else None
        answer["story"] = [
            [entry.time, entry.start, entry.finish, entry.worker, entry.stimulus] for entry in views.story(core, [key])
        ]
        return json_response(answer)

    async def worker(self, request: web.Request) -> web.Response:
        """Return one worker and its tasks."""
        address = self._worker(request)
        core = self._sources.core
        processing, held = views.processing(core, [address])[address], views.has_what(core, [address])[address]
        connected = address in self._sources.peers.workers
        return json_response(
            {
                "identity": worker_identity(self._sources, address) if connected else {},
                "processing": processing[:_MOST_KEYS],
                "processing_count": len(processing),
                "in_memory": held[:_MOST_KEYS],
                "in_memory_count": len(held),
            }
        )

    async def memory(self, request: web.Request) -> web.Response:
        """Return the use of memory until now, of a worker or of the cluster."""
        return json_response({"rows": self._memory.rows(self._worker(request) if "worker" in request.query else "")})

    async def log(self, request: web.Request) -> web.Response:
        """Return the latest lines of a worker's log."""
        question = log_service_pb2.GetWorkerLogsRequest(workers=[self._worker(request)], count=_LOG_LINES)
        found = await self._sources.logs.GetWorkerLogs(question)
        return json_response({"lines": [[line.level, line.text] for log in found.logs for line in log.lines]})

    async def task_log(self, request: web.Request) -> web.Response:
        """Return source, level and text of the lines about a task: the scheduler's, and of workers that had it."""
        key, core = _asked(request, "key"), self._sources.core
        own = islice(log_buffer.install().latest("scheduler", key), _LOG_LINES)
        lines = [["scheduler", level, text] for level, text in own][::-1]
        info = views.task_info(core, key)
        had = [entry.worker for entry in reversed(views.story(core, [key]))]
        had += [*info.workers, info.processing_on] if info is not None else []
        asked = [worker for worker in dict.fromkeys(had) if worker in self._sources.peers.workers][:_MOST_WORKERS]
        if asked:
            question = log_service_pb2.GetWorkerLogsRequest(workers=asked, count=_LOG_LINES, key=key)
            for log in (await self._sources.logs.GetWorkerLogs(question)).logs:
                lines += [[log.worker, line.level, line.text] for line in reversed(log.lines)]
        return json_response({"lines": lines})

    async def stacks(self, request: web.Request) -> web.Response:
        """Return the call stacks of the tasks that a worker runs, or of one task."""
        if "key" in request.query:
            keys = [_asked(request, "key")]
        else:
            address = self._worker(request)
            keys = views.processing(self._sources.core, [address])[address][:_MOST_KEYS]
        if not keys:
            return json_response({"stacks": []})
        try:
            found = await self._sources.diagnostics.GetCallStacks(pb.GetCallStacksRequest(keys=keys))
        except DagrpcError as error:
            raise web.HTTPNotFound(text=f"{error}\n") from None
        stacks = [[stack.key, list(stack.frames)] for worker in found.workers for stack in worker.stacks]
        return json_response({"stacks": stacks})

    async def profile(self, request: web.Request) -> web.Response:
        """Return a profile of the last ``seconds``, or of all time."""
        subject = _SUBJECTS.get(request.query.get("subject", "tasks"))
        if subject is None:
            raise web.HTTPBadRequest(text=f"subject is one of {', '.join(_SUBJECTS)}\n")
        seconds = _number(request, "seconds")
        question = pb.GetProfileRequest(
            subject=subject,
            start=time.time() - seconds if seconds else 0.0,
            workers=[self._worker(request)] if "worker" in request.query else [],
            prefix=request.query.get("prefix", ""),
        )
        found = await self._sources.diagnostics.GetProfile(question)
        profile = found.profiles[0].profile if found.profiles else pb.Profile()
        return json_response({**_flat(profile), "unreachable": list(found.unreachable)})

    def _worker(self, request: web.Request) -> str:
        address = _asked(request, "worker")
        if views.worker_info(self._sources.core, address) is None:
            raise web.HTTPNotFound(text=f"there is no worker {address!r}\n")
        return address


def _asked(request: web.Request, name: str) -> str:
    value = request.query.get(name, "")
    if not value:
        raise web.HTTPBadRequest(text=f"write ?{name}=\n")
    return value


def _number(request: web.Request, name: str) -> float:
    text = request.query.get(name, "0")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise web.HTTPBadRequest(text=f"{name}={text!r} is not a number of seconds\n")
    return value


def _flat(profile: pb.Profile) -> dict[str, Any]:
    """Return nodes (parent, line, count) and lines of a profile, without what is too small to be seen."""
    if not profile.nodes:
        return {"nodes": [], "lines": []}
    least = profile.nodes[0].count / _SMALLEST_SHARE
    places = {0: 0}
    nodes: list[list[int]] = [[0, 0, profile.nodes[0].count]]
    for position, node in enumerate(profile.nodes):
        # A parent comes first, and has at least as many samples.
        if position and node.count >= least and node.parent in places:
            places[position] = len(nodes)
            nodes.append([places[node.parent], node.line, node.count])
    lines = [[line.function, line.filename, line.line_number, line.source] for line in profile.lines]
    return {"nodes": nodes, "lines": lines}
