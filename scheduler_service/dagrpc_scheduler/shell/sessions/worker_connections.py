"""The workers' part in the cluster: they join, report, lose their connections, come back and leave."""

from __future__ import annotations

import logging
import time
from typing import Final

from dagrpc._common.addresses import split_address
from dagrpc._common.versions import differences, mismatch_message, own_versions
from dagrpc.exceptions import DuplicateWorkerError
from dagrpc.v1 import worker_session_pb2
from dagrpc_scheduler.core import events, views
from dagrpc_scheduler.core.model import PAUSED
from dagrpc_scheduler.shell.coordination.topic_shell import ALL, EventLog
from dagrpc_scheduler.shell.core_driver import CoreDriver
from dagrpc_scheduler.shell.liveness.no_workers import ShortageWatch
from dagrpc_scheduler.shell.liveness.worker_exits import WorkerExits
from dagrpc_scheduler.shell.plugins.scheduler_plugins import SchedulerPlugins
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers, WorkerConnection
from dagrpc_scheduler.shell.sessions.translate_in import STATUS_NAMES, abilities, worker_events

logger = logging.getLogger("dagrpc.scheduler")

_FOR_SHELL: Final = frozenset(("goodbye", "log_event", "run_details", "status_changed", "functions_changed"))
"""Reports that the shell needs, too, or alone."""

PROCESS_GONE: Final = "its process is gone: nobody listens at its address any more"
_ADDRESS_TAKEN: Final = "another process has its address"
_PLACE_TAKEN: Final = "its nanny has started another in its place"
_PROCESS_ENDED: Final = frozenset((PROCESS_GONE, _ADDRESS_TAKEN, _PLACE_TAKEN))
"""Reasons that tell of a process that has ended; its nanny knows how."""


class WorkerMembership:
    """Brings what happens to workers to the core, the event log and the plugins."""

    def __init__(
        self,
        *,
        driver: CoreDriver,
        peers: ConnectedPeers,
        event_log: EventLog,
        plugins: SchedulerPlugins,
        shortage: ShortageWatch,
        exits: WorkerExits,
    ) -> None:
        self._driver = driver
        self._peers = peers
        self._event_log = event_log
        self._plugins = plugins
        self._shortage = shortage
        self._exits = exits

    # --- joining -------------------------------------------------------------------------------------------------

    def make_room(self, hello: worker_session_pb2.WorkerHello) -> None:
        """End the sessions that a new worker replaces; raise if it cannot join now."""
        for other in list(self._peers.workers.values()):
            reason = _replaced_because(hello, other)
            if reason:
                other.peer_session.end(reason)
        if hello.returning:
            self._peers.worker_evictions.check(hello.session_token, time.monotonic())
        self._check_unique(hello)

    def _check_unique(self, hello: worker_session_pb2.WorkerHello) -> None:
        """Raise `DuplicateWorkerError` if a connected worker has the same address or name."""
        name = hello.name or hello.address
        if hello.address in self._peers.workers:
            raise DuplicateWorkerError(f"A worker at {hello.address} is connected already")
        if any(worker.name == name for worker in self._peers.workers.values()):
            raise DuplicateWorkerError(f"A worker named {name!r} is connected already; give this one another name")

    def join(self, connection: WorkerConnection, held: list[tuple[str, int, int]]) -> None:
        """Add a worker to the cluster, with the results that it holds already."""
        hello = connection.hello
        self._check_unique(hello)
        self._peers.workers[hello.address] = connection
        self._peers.counts.workers_added += 1
        self._peers.worker_counts.joined(hello.nanny, hello.session_token)
        self._shortage.joined(connection.name)
        stimulus = self._driver.stimulus("worker-added")
        self._driver.handle(
            events.WorkerAdded(
                hello.address,
                connection.name,
                hello.nthreads,
                split_address(hello.address)[0],
                hello.memory_limit,
                dict(hello.resources),
                hello.nanny,
                stimulus,
                hello.session_token,
                held,
                abilities(hello.functions if hello.HasField("functions") else None, hello.refuses_code),
            )
        )
        self._event_log.worker_added(hello.address, stimulus)
        self._plugins.worker_added(hello.address)
        logger.info(
            "Worker %s (%s) joined with %d threads",
            hello.address,
            connection.name,
            hello.nthreads,
            extra={"worker": hello.address},
        )
        if not held:
            _warn_of_versions(hello)

    # --- reports -------------------------------------------------------------------------------------------------

    def reported(self, connection: WorkerConnection, message: worker_session_pb2.ComputeRequest) -> None:
        """Give a worker's reports to the core, and to the shell what it needs of them."""
        connection.last_seen = time.time()
        for report in message.reports:
            if report.WhichOneof("report") in _FOR_SHELL:
                self._take(connection, report)
        batch = worker_events(connection.hello.address, message.reports, self._driver.stimulus("worker"))
        self._plugins.reported(batch)
        self._driver.handle_batch(batch)

    def _take(self, connection: WorkerConnection, report: worker_session_pb2.WorkerReport) -> None:
        """Take one report that the shell needs."""
        log, address = self._event_log, connection.hello.address
        status, _ = views.worker_status(self._driver.core, address)
        match report.WhichOneof("report"):
            case "log_event":
                log.take(report.log_event)
            case "functions_changed":
                connection.hello.functions.CopyFrom(report.functions_changed)
                changed = abilities(connection.hello.functions, connection.hello.refuses_code)
                stimulus = self._driver.stimulus("functions-changed")
                self._driver.handle(events.WorkerAbilitiesChanged(address, changed, stimulus))
            case "run_details":
                self._plugins.take_details(report.run_details)
            case "goodbye":
                connection.goodbye = connection.peer_session.leaving = report.goodbye.reason or "no reason given"
                log.log(address, {"action": "closing-worker", "reason": connection.goodbye})
                log.status_changed(address, status, "closing", self._driver.stimulus("worker-closing"))
            case "status_changed":
                after = STATUS_NAMES.get(report.status_changed.status, "running")
                if after == PAUSED and connection.reported_status != PAUSED:
                    self._peers.worker_counts.pauses += 1
                connection.reported_status = after
                log.status_changed(address, status, after, self._driver.stimulus("worker-status-change"))

    # --- disconnecting and leaving -------------------------------------------------------------------------------

    def disconnected(self, connection: WorkerConnection) -> None:
        """Note that a worker's connection broke; the worker may come back."""
        address = connection.hello.address
        logger.warning(
            "Worker %s (%s) is away: its connection broke", address, connection.name, extra={"worker": address}
        )
        stimulus = self._driver.stimulus("worker-disconnected")
        before, _ = views.worker_status(self._driver.core, address)
        self._driver.handle(events.WorkerDisconnected(address, stimulus))
        self._event_log.status_changed(address, before, "disconnected", stimulus)

    def resumed(self, connection: WorkerConnection) -> None:
        """Note that a worker has come back."""
        address = connection.hello.address
        logger.info("Worker %s (%s) is back", address, connection.name, extra={"worker": address})
        connection.last_seen = time.time()
        stimulus = self._driver.stimulus("worker-resumed")
        self._driver.handle(events.WorkerResumed(address, stimulus))
        after, _ = views.worker_status(self._driver.core, address)
        self._event_log.status_changed(address, "disconnected", after, stimulus)

    def left(self, connection: WorkerConnection, reason: str) -> None:
        """Remove a worker whose session is over; its nanny may know a better reason."""
        if connection.goodbye is None and (reason not in _PROCESS_ENDED or not connection.nanny):
            connection.verdict = connection.verdict or reason
        self._exits.session_ended(connection)

    def given_up(self, name: str, nanny: str, reason: str) -> None:
        """Note that a nanny does not start its worker again."""
        logger.warning("The nanny at %s has given up worker %s: %s", nanny, name, reason)
        self._shortage.given_up(name, reason)
        self._event_log.log(ALL, {"action": "worker-given-up", "worker": name, "nanny": nanny, "reason": reason})


def _replaced_because(hello: worker_session_pb2.WorkerHello, other: WorkerConnection) -> str:
    """Return why a known worker must be gone when a new one introduces itself; empty if it need not be."""
    if other.peer_session.is_of(hello.session_token):
        return "it started a new session"
    if other.peer_session.away:
        if other.hello.address == hello.address:
            return _ADDRESS_TAKEN
        if hello.nanny and other.nanny == hello.nanny and other.name == hello.name:
            return _PLACE_TAKEN
    return ""


def _warn_of_versions(hello: worker_session_pb2.WorkerHello) -> None:
    """Warn if a worker's software differs from the scheduler's; packages that the worker lacks do not count."""
    own = own_versions()
    theirs = {name: getattr(hello.versions, name) for name in ("python", "dask", "dagrpc")}
    ours = {name: str(own[name]) for name, version in theirs.items() if version}
    found = differences({"scheduler": ours, f"worker {hello.address}": {name: theirs[name] for name in ours}})
    if found:
        logger.warning("%s", mismatch_message(found))
