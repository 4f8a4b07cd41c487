"""Queued tasks in turns of the clients that submitted them.

Each client has a *share*: the seconds that the client's tasks occupied workers, divided by the client's weight. The
client with the smallest share is next. Within a share, tasks are ordered by priority. Tasks that only some workers may
run are in a *lane* of their own for each kind of restriction, so that a task that waits for its worker does not block
the others.

A task is charged its expected duration when it is assigned to a worker, and the charge is corrected when the duration
is known. A client without waiting tasks cannot save up turns: it starts with the smallest share of the others.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from dagrpc_scheduler.core.events import NO_OPTIONS, TaskOptions
from dagrpc_scheduler.core.model import ClientState, Priority, TaskState
from dagrpc_scheduler.core.policy import Account

_Entry: TypeAlias = tuple[Priority, int, TaskState]

_SLACK: Final = 1_000
"""Number of stale entries that are tolerated before a clean-up."""
_OVERDUE_INTERVAL: Final = 1.0
"""Seconds between two searches for runs that take longer than expected."""
_UUID: Final = 37
"""Length of a UUID with its leading dash."""


class Lane:
    """Queued tasks of one client that the same workers may run, in order of priority."""

    __slots__ = ("entries", "options", "share", "size")

    def __init__(self, share: Share, options: TaskOptions | None) -> None:
        """Make an empty lane; without `options`, any worker may run its tasks."""
        self.share = share
        self.options = options
        self.entries: list[_Entry] = []
        """A heap, which contains stale entries."""
        self.size = 0
        """Number of tasks in the lane."""


class Share:
    """The time that a client has used, and its queued tasks."""

    __slots__ = ("lanes", "name", "runs", "seconds", "used", "waiting", "weight")

    def __init__(self, name: str, weight: float) -> None:
        """Make the share of a client that has used nothing."""
        self.name = name
        self.weight = weight
        self.used = 0.0
        """Thread seconds divided by the weight; only differences between clients are meaningful."""
        self.seconds = 0.0
        """Thread seconds of the runs that have ended."""
        self.runs = 0
        """Number of these runs."""
        self.waiting = 0
        """Number of queued tasks."""
        self.lanes: dict[int, Lane] = {}
        """Lanes by the identity of the options that restrict them; 0: unrestricted."""


class Charge:
    """The charge for a run."""

    __slots__ = ("seconds", "share", "since")

    def __init__(self, share: Share, seconds: float, since: float) -> None:
        """Record a charge of `seconds` at the time `since`."""
        self.share = share
        self.seconds = seconds
        self.since = since


class FairQueue:
    """The tasks in state queued, by client and lane."""

    __slots__ = (
        "_charges",
        "_clients",
        "_competing",
        "_entries",
        "_forgotten",
        "_last_overdue_check",
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
        """Make an empty queue; `weights` are by client name, and 1 for all other clients."""
        self._clients = clients
        self._weights = weights
        self._shares: dict[str, Share] = {}
        self._forgotten = Share("", 1.0)
        """The sums of the shares of clients that are gone."""
        self._competing: dict[Share, None] = {}
        """Shares with queued tasks."""
        self._entries: dict[TaskState, tuple[Lane, int]] = {}
        """The lane of each task, with the stamp of its valid entry."""
        self._owners: dict[str, str] = {}
        """The client that submitted each key."""
        self._charges: dict[int, Charge] = {}
        """Charges by run."""
        self._served = 0.0
        """The time that the share used which was served last."""
        self._last_overdue_check = 0.0
        self._stamp = 0
        self.dispatched = 0
        """Number of tasks assigned to workers, which is the order in which they run there."""
        self.now = 0.0
        """The current time."""
        self.size = 0
        """Number of tasks in the queue."""

    # --- owners ---

    def submitted(self, keys: Iterable[str], client: str, submitter: str, live: Mapping[str, object]) -> None:
        """Record who submitted keys: a client, or a task on behalf of its own client. `live` has all live keys."""
        owners = self._owners
        owner = owners.get(submitter, client) if submitter else client
        for key in keys:
            owners.setdefault(key, owner)
        if len(owners) > 2 * len(live) + _SLACK:
            self._owners = {key: owner for key, owner in owners.items() if key in live}

    def owner_of(self, task: TaskState) -> str:
        """Return the client that submitted a task; if that client is gone, one that wants the task."""
        owner = self._owners.get(task.key, "")
        if owner not in self._clients and task.wanted_by:
            return task.wanted_by[0].name
        return owner

    def used(self, client: str) -> float:
        """Return the time that a client has used, for checks."""
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
        for name, share in list(self._shares.items()):
            if not (share.waiting or share in charged or name in self._clients):
                del self._shares[name]
                self._forgotten.seconds += share.seconds
                self._forgotten.runs += share.runs

    def accounts(self) -> dict[str, Account]:
        """Return what each client has had, by client id; the empty id stands for clients that are forgotten."""
        found = {
            name: Account(each.seconds, each.runs, each.waiting, each.weight) for name, each in self._shares.items()
        }
        own, gone = found.get("", Account(0.0, 0, 0, 1.0)), self._forgotten
        found[""] = Account(own.seconds + gone.seconds, own.runs + gone.runs, own.waiting, 1.0)
        return found

    # --- tasks are added and removed ---

    def add(self, task: TaskState) -> None:
        """Add a task that becomes queued."""
        share = self._share_of(task)
        if not share.waiting:
            self._starts_competing(share)
        share.waiting += 1
        options = task.options
        restricted = options is not NO_OPTIONS and bool(options.workers or options.resources or options.function)
        number = id(options) if restricted else 0
        lane = share.lanes.get(number)
        if lane is None:
            lane = share.lanes[number] = Lane(share, options if restricted else None)
        lane.size += 1
        self.size += 1
        self._stamp += 1
        self._entries[task] = lane, self._stamp
        heapq.heappush(lane.entries, (task.priority, self._stamp, task))

    def remove(self, task: TaskState) -> None:
        """Remove a task whose state changes, or has just changed, to another one."""
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
        self.charge_overdue_runs(0.0)
        floor = min((other.used for other in self._competing), default=self._served)
        share.used = max(share.used, floor)
        self._competing[share] = None

    # --- turns ---

    def head(self, lane: Lane) -> _Entry:
        """Return the entry of the next task in a lane."""
        entries = lane.entries
        while not self._is_valid(lane, entries[0]):
            heapq.heappop(entries)
        return entries[0]

    def in_turn(self) -> Iterator[Lane]:
        """Yield the lanes with tasks in order of turn. The iterator is invalid after the next change."""
        for share in sorted(self._competing, key=_used):
            lanes = list(share.lanes.values())
            if len(lanes) > 1:
                lanes.sort(key=self.head)
            yield from lanes

    def lanes(self) -> list[Lane]:
        """Return all lanes."""
        return [lane for share in self._competing for lane in share.lanes.values()]

    def rivals_use(self, share: Share) -> float:
        """Return the least that another share with queued tasks has used; infinite if there is none."""
        return min((other.used for other in self._competing if other is not share), default=float("inf"))

    def tasks(self) -> list[TaskState]:
        """Return the tasks in the queue, in order within each lane."""
        return [entry[2] for lane in self.lanes() for entry in sorted(lane.entries) if self._is_valid(lane, entry)]

    def waiting_in(self, lane: Lane) -> list[TaskState]:
        """Return the tasks in a lane."""
        return [entry[2] for entry in lane.entries if self._is_valid(lane, entry)]

    # --- charges ---

    def charge(self, share: Share, run_id: int, seconds: float) -> None:
        """Charge a share the expected duration of a run that starts."""
        self._served = max(self._served, share.used)
        share.used += seconds / share.weight
        self.dispatched += 1
        self._charges[run_id] = Charge(share, seconds, self.now)

    def correct_charge(self, run_id: int, seconds: float) -> None:
        """Correct the charge for a run that occupied a thread for `seconds`."""
        charge = self._charges.pop(run_id, None)
        if charge is not None:
            charge.share.seconds += seconds
            charge.share.runs += 1
            charge.share.used += (seconds - charge.seconds) / charge.share.weight

    def charge_overdue_runs(self, interval: float = _OVERDUE_INTERVAL) -> None:
        """Charge runs that take longer than expected for the time so far."""
        now = self.now
        if now - self._last_overdue_check < interval or not self._charges:
            return
        self._last_overdue_check = now
        for charge in self._charges.values():
            seconds = now - charge.since
            if seconds > charge.seconds:
                charge.share.used += (seconds - charge.seconds) / charge.share.weight
                charge.seconds = seconds

    def forget_runs(self, active: Iterable[int]) -> None:
        """Make the charges of all but the `active` runs final."""
        charges = self._charges
        self._charges = {run_id: charges[run_id] for run_id in active if run_id in charges}

    @property
    def charged(self) -> int:
        """Number of runs whose charge is not final."""
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
