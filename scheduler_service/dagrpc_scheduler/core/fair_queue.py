"""Ready tasks that wait on the scheduler, in turns of the clients that submitted them.

Each client has a *share*. It counts the seconds that the client's tasks have occupied workers, divided by the client's
weight; who has the least is next. Within a share, tasks go in order of their priorities. Those that only some workers
may run are in a *lane* of their own for each kind of restriction, so that one which has to wait for its worker does not
hold up the others.

A task is charged what it is expected to take when it is given to a worker, and that is put right when it is known. A
client that had nothing waiting cannot have saved up turns: it starts with the least of the others' counts.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from dagrpc_scheduler.core.events import NO_OPTIONS, TaskOptions
from dagrpc_scheduler.core.model import ClientState, Priority, TaskState

_Entry: TypeAlias = tuple[Priority, int, TaskState]

_SLACK: Final = 1_000
"""How many stale notes are not worth a clean-up."""
_LOOK_AGAIN: Final = 1.0
"""Seconds after which it is looked again how long tasks have been running."""
_UUID: Final = 37
"""Length of a UUID with the dash before it."""


class Lane:
    """Waiting tasks of one client that the same workers may run, in order of priority."""

    __slots__ = ("entries", "options", "share", "size")

    def __init__(self, share: Share, options: TaskOptions | None) -> None:
        """Make an empty lane; without `options`, any worker may run its tasks."""
        self.share = share
        self.options = options
        self.entries: list[_Entry] = []
        """A heap; some of them are stale."""
        self.size = 0
        """How many tasks are in it."""


class Share:
    """What a client has had, and what waits for its turn."""

    __slots__ = ("lanes", "name", "used", "waiting", "weight")

    def __init__(self, name: str, weight: float) -> None:
        """Make the share of a client that has had nothing."""
        self.name = name
        self.weight = weight
        self.used = 0.0
        """Seconds of threads, divided by the weight; only differences mean something."""
        self.waiting = 0
        """How many of its tasks wait."""
        self.lanes: dict[int, Lane] = {}
        """By identity of the options that restrict them; 0: unrestricted."""


class Charge:
    """What a run was charged."""

    __slots__ = ("seconds", "share", "since")

    def __init__(self, share: Share, seconds: float, since: float) -> None:
        """Note a charge of so many `seconds` at the time `last_task_start`."""
        self.share = share
        self.seconds = seconds
        self.since = since


class FairQueue:
    """A queue of the tasks in state queued; offers what `TaskQueue` does, and more for those who fill the workers."""

    __slots__ = (
        "_charges",
        "_clients",
        "_competing",
        "_entries",
        "_looked",
        "_owners",
        "_served",
        "_shares",
        "_stamp",
        "_weights",
        "dispatched",
        "now",
        "size",
    )

    def __init__(self, clients: Mapping[str, ClientState], weights: Mapping[str, float]) -> None:
        """Make an empty queue; `weights` are by the names that clients give themselves, 1 for all others."""
        self._clients = clients
        self._weights = weights
        self._shares: dict[str, Share] = {}
        self._competing: dict[Share, None] = {}
        """Those with tasks that wait."""
        self._entries: dict[TaskState, tuple[Lane, int]] = {}
        """Where each task waits, with the stamp of its valid entry."""
        self._owners: dict[str, str] = {}
        """Which client submitted each key."""
        self._charges: dict[int, Charge] = {}
        """By run."""
        self._served = 0.0
        """What the share had used that was served last."""
        self._looked = 0.0
        self._stamp = 0
        self.dispatched = 0
        """How many tasks were given to workers: the order in which they are to run there."""
        self.now = 0.0
        """The time."""
        self.size = 0
        """How many tasks are in the queue."""

    # --- who owns what ---

    def submitted(self, keys: Iterable[str], client: str, submitter: str, live: Mapping[str, object]) -> None:
        """Note who submitted keys: a client, or a task on behalf of its own client. `live` has all keys there are."""
        owners = self._owners
        owner = owners.get(submitter, client) if submitter else client
        for key in keys:
            owners.setdefault(key, owner)
        if len(owners) > 2 * len(live) + _SLACK:
            self._owners = {key: owner for key, owner in owners.items() if key in live}

    def owner_of(self, task: TaskState) -> str:
        """Return on whose behalf a task is run: who submitted it, or who wants it if that one is gone."""
        owner = self._owners.get(task.key, "")
        if owner not in self._clients and task.wanted_by:
            return task.wanted_by[0].name
        return owner

    def used(self, client: str) -> float:
        """Return what a client's share counts, for checks."""
        share = self._shares.get(client)
        return share.used if share is not None else 0.0

    def _share_of(self, task: TaskState) -> Share:
        owner = self.owner_of(task)
        share = self._shares.get(owner)
        if share is None:
            if len(self._shares) > 2 * len(self._clients) + _SLACK:
                self._forget_shares()
            share = self._shares[owner] = Share(owner, weight_of(owner, self._weights))
        return share

    def _forget_shares(self) -> None:
        charged = {charge.share for charge in self._charges.values()}
        self._shares = {
            name: share
            for name, share in self._shares.items()
            if share.waiting or share in charged or name in self._clients
        }

    # --- tasks come and go ---

    def push(self, task: TaskState) -> None:
        """Add a task that becomes queued."""
        share = self._share_of(task)
        if not share.waiting:
            self._starts_competing(share)
        share.waiting += 1
        options = task.options
        restricted = options is not NO_OPTIONS and bool(options.workers or options.resources)
        number = id(options) if restricted else 0
        lane = share.lanes.get(number)
        if lane is None:
            lane = share.lanes[number] = Lane(share, options if restricted else None)
        lane.size += 1
        self.size += 1
        self._stamp += 1
        self._entries[task] = lane, self._stamp
        heapq.heappush(lane.entries, (task.priority, self._stamp, task))

    def left(self, task: TaskState) -> None:
        """Take note that a task left the queue, or is leaving it."""
        lane, _ = self._entries.pop(task)
        share = lane.share
        self.size -= 1
        lane.size -= 1
        share.waiting -= 1
        if not share.waiting:
            del self._competing[share]
        if not lane.size:
            del share.lanes[id(lane.options) if lane.options is not None else 0]
        elif len(lane.entries) > 2 * lane.size + _SLACK:
            lane.entries = [entry for entry in lane.entries if self._is_valid(lane, entry)]
            heapq.heapify(lane.entries)

    def _is_valid(self, lane: Lane, entry: _Entry) -> bool:
        return self._entries.get(entry[2]) == (lane, entry[1])

    def _starts_competing(self, share: Share) -> None:
        self.look(0.0)
        floor = min((other.used for other in self._competing), default=self._served)
        share.used = max(share.used, floor)
        self._competing[share] = None

    # --- whose turn it is ---

    def head(self, lane: Lane) -> _Entry:
        """Return the entry of the task of a lane that is next."""
        entries = lane.entries
        while not self._is_valid(lane, entries[0]):
            heapq.heappop(entries)
        return entries[0]

    def first(self) -> TaskState | None:
        """Return the task that is next, without taking it."""
        return next((self.head(lane)[2] for lane in self.in_turn()), None)

    def in_turn(self) -> Iterator[Lane]:
        """Yield the lanes with tasks, whose turn it is first. Ends with the next change."""
        for share in sorted(self._competing, key=_used):
            lanes = list(share.lanes.values())
            if len(lanes) > 1:
                lanes.sort(key=self.head)
            yield from lanes

    def lanes(self) -> list[Lane]:
        """Return all lanes."""
        return [lane for share in self._competing for lane in share.lanes.values()]

    def rivals_use(self, share: Share) -> float:
        """Return the least that another share with waiting tasks counts; infinite if there is none."""
        return min((other.used for other in self._competing if other is not share), default=float("inf"))

    def tasks(self) -> list[TaskState]:
        """Return the tasks in the queue, in order within each lane."""
        return [entry[2] for lane in self.lanes() for entry in sorted(lane.entries) if self._is_valid(lane, entry)]

    def waiting_in(self, lane: Lane) -> list[TaskState]:
        """Return the tasks in a lane."""
        return [entry[2] for entry in lane.entries if self._is_valid(lane, entry)]

    # --- what was had ---

    def charge(self, share: Share, run_id: int, seconds: float) -> None:
        """Charge a share for a run that begins, with what it is expected to take."""
        self._served = max(self._served, share.used)
        share.used += seconds / share.weight
        self.dispatched += 1
        self._charges[run_id] = Charge(share, seconds, self.now)

    def run_transitions(self, run_id: int, seconds: float) -> None:
        """Put right what a run was charged: it occupied a thread for so many `seconds`."""
        charge = self._charges.pop(run_id, None)
        if charge is not None:
            charge.share.used += (seconds - charge.seconds) / charge.share.weight

    def look(self, interval: float = _LOOK_AGAIN) -> None:
        """Charge runs that take longer than expected for what they took so far."""
        now = self.now
        if now - self._looked < interval or not self._charges:
            return
        self._looked = now
        for charge in self._charges.values():
            seconds = now - charge.since
            if seconds > charge.seconds:
                charge.share.used += (seconds - charge.seconds) / charge.share.weight
                charge.seconds = seconds

    def forget_runs(self, active: Iterable[int]) -> None:
        """Leave those charges as they are whose runs will not be settled: all but the active ones."""
        charges = self._charges
        self._charges = {run_id: charges[run_id] for run_id in active if run_id in charges}

    @property
    def charged(self) -> int:
        """How many runs are charged and not settled."""
        return len(self._charges)


def _used(share: Share) -> float:
    return share.used


def weight_of(client: str, weights: Mapping[str, float]) -> float:
    """Return the weight of a client by its id, ``Client-NAME-UUID``.

    >>> weight_of("Client-nightly-5c3f8f8e-0f0c-4c41-a3d4-b6d4c0c5a1aa", {"nightly": 0.5})
    0.5
    >>> weight_of("Client-5c3f8f8e-0f0c-4c41-a3d4-b6d4c0c5a1aa", {"nightly": 0.5})
    1.0
    """
    if not weights:
        return 1.0
    name = client.removeprefix("Client-")[:-_UUID]
    weight = weights.get(name or client, weights.get(client, 1.0))
    return weight if weight > 0.0 else 1.0
