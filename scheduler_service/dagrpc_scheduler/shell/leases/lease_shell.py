"""Leases as clients of the core: submits for them, waits for changes, and ends them in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from dagrpc import config
from dagrpc.exceptions import InvalidRequestError, LimitReachedError, UnknownSessionError
from dagrpc.v1 import graph_pb2
from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.instructions import ReportFinished
from dagrpc_scheduler.leases.lease import Lease
from dagrpc_scheduler.leases.lease_book import LeaseBook, LeaseLimits, LimitExceeded
from dagrpc_scheduler.leases.recent_results import RecentResults
from dagrpc_scheduler.shell.core_driver import CoreDriver
from dagrpc_scheduler.shell.plugins.scheduler_plugins import SchedulerPlugins
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.sessions.translate_in import InlineResult, graph_part

_RECENT_RESULTS = 64 << 20
"""Bytes of results that leases keep in the scheduler's memory, for calls that ask for them soon."""


class _Holder:
    """The client that the core takes a lease for."""

    def __init__(self, lease: Lease, results: RecentResults) -> None:
        self._lease = lease
        self._results = results
        self.changed = asyncio.Event()
        self.waiting: dict[str, list[asyncio.Event]] = {}
        """The calls that wait for each task, so that a change wakes no others."""

    def send(self, instruction: Any) -> None:
        """Take what the core reports."""
        if self._lease.take(instruction):
            if type(instruction) is ReportFinished and type(instruction.payload) is InlineResult:
                # Copied out of the message, which has the reports of many tasks.
                plain = instruction.payload.plain
                self._results.keep(self._lease.tasks[instruction.key], (plain.encoding, plain.data))
            self._wake_watchers()
            for event in self.waiting.get(getattr(instruction, "key", ""), ()):
                event.set()

    def wake(self) -> None:
        """Let all calls look at the lease again."""
        self._wake_watchers()
        for events_of_key in self.waiting.values():
            for event in events_of_key:
                event.set()

    def _wake_watchers(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    @contextmanager
    def told_of(self, keys: Collection[str]) -> Iterator[asyncio.Event]:
        """Yield an event that is set whenever one of the tasks changes."""
        event = asyncio.Event()
        for key in keys:
            self.waiting.setdefault(key, []).append(event)
        try:
            yield event
        finally:
            for key in keys:
                self.waiting[key].remove(event)
                if not self.waiting[key]:
                    del self.waiting[key]


class Leases:
    """The leases of a scheduler."""

    def __init__(self, driver: CoreDriver, peers: ConnectedPeers, plugins: SchedulerPlugins) -> None:
        self._driver = driver
        self._peers = peers
        self._plugins = plugins
        self._holders: dict[str, _Holder] = {}
        self._results = RecentResults(_RECENT_RESULTS)
        self._book = LeaseBook(
            LeaseLimits(
                ttl=config.get_seconds("scheduler.leases.ttl") or 60.0,
                longest_ttl=config.get_seconds("scheduler.leases.longest-ttl") or 86_400.0,
                leases=int(config.get("scheduler.leases.limit")),
                tasks=int(config.get("scheduler.leases.tasks")),
                waiting=int(config.get("scheduler.leases.waiting")),
            )
        )

    def get(self, name: str) -> Lease:
        """Return a lease, which lives on."""
        lease = self._book.leases.get(name)
        if lease is None:
            raise UnknownSessionError(f"There is no lease {name!r}, or it has ended: submit again")
        self._book.renew(lease, 0.0, time.monotonic())
        return lease

    def obtain(self, name: str, ttl: float) -> Lease:
        """Return a lease, which is made if there is none."""
        lease = self._book.leases.get(name)
        with _limits():
            if lease is not None:
                self._book.renew(lease, ttl, time.monotonic())
                return lease
            lease = self._book.open(name, ttl, time.monotonic())
        holder = self._holders[name] = _Holder(lease, self._results)
        self._peers.stand_ins[lease.client] = holder
        self._driver.handle(events.ClientAdded(lease.client))
        return lease

    def submit(self, lease: Lease, part: graph_pb2.GraphPart) -> None:
        """Submit a graph on behalf of a lease, which holds all its tasks; raise if the core refuses the graph."""
        stimulus = self._driver.stimulus("lease-submit")
        event = graph_part(lease.client, part, stimulus)
        keys = [task.key for task in part.tasks]
        with _limits():
            self._book.check_room(lease, len(keys))
        new = lease.hold(keys)
        lease.refused = ""
        if self._plugins.watch_graphs:
            self._plugins.submit(event)
        else:
            self._driver.handle(event)
        if lease.refused:
            lease.release(new)
            raise InvalidRequestError(f"The calls were refused: {lease.refused}")

    async def settled(self, lease: Lease, keys: Collection[str], any_of_them: bool, timeout: float) -> None:
        """Wait until tasks are done, or until the time is over."""
        keys = dict.fromkeys(keys)
        if lease.is_settled(keys, any_of_them):
            return
        pending = [key for key in keys if key in lease.tasks]
        with self._waiting(lease), self._holders[lease.name].told_of(pending) as event, suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                # Many tasks finish one by one: no look at all of them each time.
                left = [] if any_of_them else pending[::-1]
                while self.lives(lease):
                    while left and lease.is_settled(left[-1:], False):
                        left.pop()
                    if not left and lease.is_settled(pending, any_of_them):
                        break
                    event.clear()
                    await event.wait()

    async def changed(self, lease: Lease, timeout: float) -> bool:
        """Wait for a change of a lease; tell whether there was one in time."""
        holder = self._holders.get(lease.name)
        try:
            if holder is not None:
                await asyncio.wait_for(holder.changed.wait(), timeout)
        except TimeoutError:
            return False
        return True

    @contextmanager
    def watching(self, lease: Lease) -> Iterator[None]:
        """Keep a lease alive."""
        with self._waiting(lease):
            yield

    @contextmanager
    def _waiting(self, lease: Lease) -> Iterator[None]:
        with _limits():
            self._book.begin_call(lease)
        try:
            yield
        finally:
            self._book.end_call(lease, time.monotonic())

    def lives(self, lease: Lease) -> bool:
        """Tell whether a lease has not ended."""
        return self._book.leases.get(lease.name) is lease

    def cancel(self, lease: Lease, keys: Iterable[str], interrupt: bool, message: str) -> None:
        """Cancel tasks of a lease, unless others want them."""
        held = [key for key in keys if key in lease.tasks]
        stimulus = self._driver.stimulus("lease-cancel")
        self._driver.handle(
            events.KeysCancelled(lease.client, held, False, "user", message, stimulus, interrupt=interrupt)
        )

    def release(self, lease: Lease, keys: Iterable[str]) -> None:
        """Release tasks of a lease."""
        released = lease.release(keys)
        if released:
            self._driver.handle(events.KeysReleased(lease.client, released, self._driver.stimulus("lease-release")))
            self._holders[lease.name].wake()

    def renew(self, lease: Lease, ttl: float) -> None:
        """Let a lease live on."""
        self._book.renew(lease, ttl, time.monotonic())

    def end(self, lease: Lease) -> None:
        """End a lease and release what it holds."""
        self._book.end(lease.name)
        self._driver.handle(events.ClientRemoved(lease.client, self._driver.stimulus("lease-ended")))
        self._peers.stand_ins.pop(lease.client, None)
        holder = self._holders.pop(lease.name, None)
        if holder is not None:
            holder.wake()

    def look(self) -> None:
        """End the leases whose time is over."""
        for lease in self._book.expired(time.monotonic()):
            self.end(lease)


@contextmanager
def _limits() -> Iterator[None]:
    """Tell callers of limits."""
    try:
        yield
    except LimitExceeded as error:
        raise LimitReachedError(str(error)) from None
