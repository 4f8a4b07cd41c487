"""Tables that need a look at every task: the graph, what memory holds, errors. One pass serves them all."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from dagrpc import config
from dagrpc._common.keys import decode_key, group_name, prefix_name
from dagrpc.v1 import failure_pb2
from dagrpc_scheduler.core import task_details, task_scan, views
from dagrpc_scheduler.http.dashboard.cluster_tables import STATES
from dagrpc_scheduler.http.dashboard.feeds import FRESH, SHARE, Rows
from dagrpc_scheduler.http.sources import SchedulerSources
from dagrpc_scheduler.shell.sessions.translate_out import failure_message

_MOST_ERRORS = 200
_TEXT_LENGTH = 20_000
_SLICE = 500
"""How many tasks are described in one step."""


class ScannedTables:
    """Makes rows from passes over all tasks. On the scheduler's event loop only."""

    def __init__(self, sources: SchedulerSources) -> None:
        self._sources = sources
        self._scan = task_scan.TaskScan()
        self._due = 0.0
        self._lock = asyncio.Lock()

    async def _scanned(self) -> tuple[task_scan.TaskScan, float]:
        """Return a recent scan, and the seconds of the event loop that it took just now."""
        spent = 0.0
        async with self._lock:
            if time.monotonic() >= self._due:
                steps = task_scan.scan(self._sources.core)
                begun = time.perf_counter()
                for found in steps:
                    spent += time.perf_counter() - begun
                    # The scheduler's other work goes on meanwhile.
                    await asyncio.sleep(0)
                    self._scan, begun = found, time.perf_counter()
                self._due = time.monotonic() + max(FRESH, spent / SHARE)
        return self._scan, spent

    async def graph(self) -> tuple[Rows, float]:
        """Return nodes with what they need: tasks if they are few, else the largest groups."""
        most = int(config.get("dashboard.graph-max-items"))
        core = self._sources.core
        if sum(views.state_counts(core).values()) <= most:
            return await self._single_tasks()
        scan, spent = await self._scanned()
        groups = sorted(views.groups(core), key=lambda group: -group.size)[:most]
        needs: dict[str, list[str]] = {}
        for needed, dependent in scan.edges:
            needs.setdefault(dependent, []).append(needed)
        return {
            group.name: {
                "kind": "group",
                "prefix": group.prefix,
                "counts": [group.counts[state] for state in STATES],
                "needs": needs.get(group.name, []),
            }
            for group in groups
        }, spent

    async def _single_tasks(self) -> tuple[Rows, float]:
        core, spent = self._sources.core, 0.0
        rows: dict[str, Any] = {}
        keys = list(core.state.tasks)
        for start in range(0, len(keys), _SLICE):
            begun = time.perf_counter()
            for info in views.tasks(core, keys[start : start + _SLICE]):
                needs = info.dependencies
                rows[info.key] = {"kind": "task", "prefix": info.prefix, "state": info.state, "needs": needs}
            spent += time.perf_counter() - begun
            # The scheduler's other work goes on meanwhile.
            await asyncio.sleep(0)
        return rows, spent

    async def holdings(self) -> tuple[Rows, float]:
        """Return numbers and bytes of the results in memory, by prefix."""
        scan, spent = await self._scanned()
        return {
            prefix: {"count": count, "nbytes": scan.nbytes[prefix], "copies": scan.copies[prefix]}
            for prefix, count in scan.held.items()
        }, spent

    async def errors(self) -> tuple[Rows, float]:
        """Return the tasks that failed, with their reasons, by key."""
        core = self._sources.core
        rows = self._former_errors()
        if not views.state_counts(core)["erred"]:
            return rows, 0.0
        scan, spent = await self._scanned()
        for key in scan.failed[-_MOST_ERRORS:]:
            found, info = task_details.failure_of(core, key), views.task_info(core, key)
            if found is not None and info is not None:
                rows.pop(key, None)
                rows[key] = {
                    **error_row(failure_message(*found)),
                    "literal": repr(decode_key(key)),
                    "prefix": info.prefix,
                    "blamed": scan.blamed[key],
                    "former": False,
                }
        return rows, spent

    def _former_errors(self) -> dict[str, Any]:
        """Return the tasks that failed lately and were released, or run again, since; the latest last."""
        core = self._sources.core
        rows: dict[str, Any] = {}
        for erred in reversed(task_details.erred_history(core)):
            rows.pop(erred.key, None)
            rows[erred.key] = {
                **error_row(failure_message(erred.failure, erred.key)),
                "literal": repr(decode_key(erred.key)),
                "prefix": prefix_name(group_name(erred.key)),
                "blamed": 0,
                "former": True,
            }
        return rows


def error_row(failure: failure_pb2.Failure) -> dict[str, Any]:
    """Return why a task failed, as plain data."""
    return {
        "type": failure.type_name,
        "message": failure.message[:_TEXT_LENGTH],
        "traceback": failure.traceback_text[-_TEXT_LENGTH:],
        "worker": failure.worker,
        "deaths": failure.worker_deaths,
        "loss": failure.worker_loss,
        "exit": failure.worker_exit.reason,
        "log": list(failure.worker_exit.log_lines),
    }
