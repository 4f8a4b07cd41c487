"""``/info/*``: plain pages about workers, tasks, logs and failures, readable without scripts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from dagrpc._common.markup import Markup, table
from dagrpc._http.html_pages import bar, heading, link, page, text_block
from dagrpc._process import log_buffer
from dagrpc.exceptions import DagrpcError
from dagrpc.v1 import diagnostics_service_pb2, log_service_pb2
from dagrpc_scheduler.core import views
from dagrpc_scheduler.http.sources import SchedulerSources

if TYPE_CHECKING:
    from collections.abc import Iterable

NAVIGATION = (
    ("Status", "status"),
    ("Workers", "info/main/workers.html"),
    ("Failures", "info/main/exceptions.html"),
    ("Log", "info/main/logs.html"),
    ("Metrics", "metrics"),
)
_LISTED_TASKS = 1_000
"""How many tasks a page lists at most."""


class InfoPages:
    """Answers with pages of HTML.

    Parameters
    ----------
    sources : SchedulerSources
        The scheduler's parts that the pages show.
    """

    def __init__(self, sources: SchedulerSources) -> None:
        self._sources = sources

    def routes(self) -> list[web.RouteDef]:
        """Return the paths and their handlers."""
        return [
            web.get("/info/main/workers.html", self.workers),
            web.get("/info/main/logs.html", self.scheduler_log),
            web.get("/info/main/exceptions.html", self.exceptions),
            web.get("/info/worker/{worker}.html", self.worker),
            web.get("/info/logs/{worker}.html", self.worker_log),
            web.get("/info/call-stacks/{worker}.html", self.worker_call_stacks),
            web.get("/info/task/{task}.html", self.task),
            web.get("/info/call-stack/{task}.html", self.task_call_stack),
        ]

    async def workers(self, request: web.Request) -> web.Response:
        """List all workers."""
        sources, now = self._sources, time.time()
        rows = []
        for worker in views.workers(sources.core):
            connection = sources.peers.workers.get(worker.address)
            seen = f"{max(0.0, now - connection.last_seen):.1f} s ago" if connection is not None else "away"
            memory = sources.memory_of(worker.address).process if connection is not None else 0
            rows.append(
                (
                    link(f"../worker/{quote(worker.address, safe='')}.html", worker.address),
                    worker.name,
                    worker.status,
                    worker.nthreads,
                    _bytes(memory),
                    bar(memory, worker.memory_limit),
                    f"{worker.occupancy:.2f} s",
                    worker.processing,
                    worker.in_memory,
                    link(f"../logs/{quote(worker.address, safe='')}.html", "log"),
                    seen,
                )
            )
        head = (
            "Worker",
            "Name",
            "Status",
            "Threads",
            "Memory",
            "Use",
            "Occupancy",
            "Processing",
            "In memory",
            "",
            "Seen",
        )
        return self._page("Workers", table(head, rows))

    async def worker(self, request: web.Request) -> web.Response:
        """Show one worker and its tasks."""
        worker = self._worker_of(request)
        place = quote(worker.address, safe="")
        facts = table(
            ("", ""),
            [
                ("Name", worker.name),
                ("Status", worker.status),
                ("Threads", worker.nthreads),
                ("Memory limit", _bytes(worker.memory_limit)),
                ("Nanny", worker.nanny or "none"),
                ("Resources", ", ".join(f"{name} {amount:g}" for name, amount in worker.resources.items()) or "none"),
            ],
        )
        core = self._sources.core
        processing = views.processing(core, [worker.address])[worker.address]
        held = views.has_what(core, [worker.address])[worker.address]
        return self._page(
            f"Worker {worker.address}",
            facts,
            Markup(
                f"<p>{link(f'../logs/{place}.html', 'log')} {link(f'../call-stacks/{place}.html', 'call stacks')}</p>"
            ),
            heading(f"Processing ({len(processing)})"),
            _task_list(processing),
            heading(f"In memory ({len(held)})"),
            _task_list(held),
        )

    async def task(self, request: web.Request) -> web.Response:
        """Show one task, what it depends on, who needs it, and its story."""
        key = request.match_info["task"]
        core = self._sources.core
        info = views.task_info(core, key)
        if info is None:
            raise web.HTTPNotFound(text=f"there is no task {key!r}\n")
        facts = table(
            ("", ""),
            [
                ("State", info.state),
                ("Prefix", info.prefix),
                ("Group", info.group),
                ("Type", info.type_name),
                ("Size", _bytes(info.nbytes) if info.nbytes >= 0 else "not known yet"),
                ("Held by", ", ".join(info.workers) or "nobody"),
                ("Processing on", info.processing_on or "nobody"),
                ("Retries left", info.retries),
                ("Wanted by", ", ".join(info.wanted_by) or "nobody"),
            ],
        )
        place = quote(key, safe="")
        story = [(f"{entry.time:.3f}", entry.start, entry.finish, entry.stimulus) for entry in views.story(core, [key])]
        return self._page(
            f"Task {key}",
            facts,
            heading("Dependencies"),
            _task_list(info.dependencies),
            heading("Dependents"),
            _task_list(info.dependents),
            heading("Story"),
            table(("When", "From", "To", "Stimulus"), story),
            Markup(f"<p>{link(f'../call-stack/{place}.html', 'call stack')}</p>"),
        )

    async def exceptions(self, request: web.Request) -> web.Response:
        """List the tasks that have failed."""
        erred = views.tasks(self._sources.core, None, _LISTED_TASKS, "erred")
        rows = [(_task_link(info.key), info.prefix, info.origin_key or info.key, info.suspicious) for info in erred]
        return self._page("Failures", table(("Task", "Prefix", "Failed first", "Workers lost"), rows))

    async def scheduler_log(self, request: web.Request) -> web.Response:
        """Show the latest lines of the scheduler's log."""
        lines = [text for _, text in log_buffer.install().latest("scheduler")]
        return self._page("Log of the scheduler", text_block("\n".join(lines)))

    async def worker_log(self, request: web.Request) -> web.Response:
        """Show the latest lines of a worker's log."""
        worker = self._worker_of(request)
        question = log_service_pb2.GetWorkerLogsRequest(workers=[worker.address])
        found = await self._sources.logs.GetWorkerLogs(question)
        lines = [line.text for log in found.logs for line in log.lines]
        return self._page(f"Log of {worker.address}", text_block("\n".join(lines)))

    async def worker_call_stacks(self, request: web.Request) -> web.Response:
        """Show the call stacks of the tasks that a worker runs."""
        worker = self._worker_of(request)
        keys = views.processing(self._sources.core, [worker.address])[worker.address]
        return self._page(f"Call stacks of {worker.address}", *await self._call_stacks(keys[:_LISTED_TASKS]))

    async def task_call_stack(self, request: web.Request) -> web.Response:
        """Show the call stack of a task that runs."""
        key = request.match_info["task"]
        return self._page(f"Call stack of {key}", *await self._call_stacks([key]))

    async def _call_stacks(self, keys: list[str]) -> list[Markup]:
        if not keys:
            return [Markup("<p>No task runs there.</p>")]
        question = diagnostics_service_pb2.GetCallStacksRequest(keys=keys)
        try:
            found = await self._sources.diagnostics.GetCallStacks(question)
        except DagrpcError as error:
            return [text_block(str(error))]
        parts: list[Markup] = []
        for worker in found.workers:
            for stack in worker.stacks:
                parts += [heading(stack.key), text_block("\n".join(stack.frames))]
        return parts or [Markup("<p>The task does not run.</p>")]

    def _worker_of(self, request: web.Request) -> views.WorkerInfo:
        address = request.match_info["worker"]
        info = views.worker_info(self._sources.core, address)
        if info is None:
            raise web.HTTPNotFound(text=f"there is no worker {address!r}\n")
        return info

    def _page(self, title: str, *parts: Markup) -> web.Response:
        return page(title, "../../", *parts, links=NAVIGATION)


def _task_link(key: str) -> Markup:
    return link(f"../task/{quote(key, safe='')}.html", key)


def _task_list(keys: Iterable[str]) -> Markup:
    listed = list(keys)
    rest = len(listed) - _LISTED_TASKS
    more = f"<p>and {rest} more</p>" if rest > 0 else ""
    return Markup("<ul>" + "".join(f"<li>{_task_link(key)}</li>" for key in listed[:_LISTED_TASKS]) + f"</ul>{more}")


def _bytes(count: float) -> str:
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
