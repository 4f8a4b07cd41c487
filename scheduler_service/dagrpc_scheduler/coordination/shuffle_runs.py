"""P2P shuffles: which run each is in, who takes part, and when a run is over.

Pure, as the core is, of which it is told what it needs to know. The shuffle's tasks are ordinary tasks to the core;
what a shuffle adds is that a result of theirs is worth nothing without what was sent in the same run. So a run is over

- when the barrier, the task that waits for all that sends, is no longer to be computed or kept: then all outputs are
  there, or nobody wants them;
- when a worker leaves that sent something, before the barrier has passed, or that outputs belong to;
- when a worker finds that the run does not hold together.

In the latter two cases the results of all that sent are discarded, and what is still needed is computed again, which
begins another run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from dagrpc._common.backoff import pause_after

BARRIER_ACTIVE: Final = frozenset(("waiting", "no-worker", "queued", "processing", "memory"))
"""States of a barrier whose run goes on."""
_COMPLAINTS: Final = 10
"""How often a shuffle may begin again because a run did not hold together."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0

StateOf = Callable[[str], str | None]
"""Gives the state of a task by its key; None if there is no such task."""


@dataclass(slots=True)
class Run:
    """A shuffle and the run that it is in."""

    shuffle_id: str
    barrier: str
    """Key of the task that waits for all that sends."""
    first_sender: str
    """Key of the task that sent first. The barrier may not have arrived yet."""
    run_id: int = 0
    """0: none at the moment."""
    workers: tuple[str, ...] = ()
    """Addresses of those whom the outputs belong to."""
    members: dict[str, None] = field(default_factory=dict)
    """Addresses of those, and of the others that sent something."""
    barrier_seen: bool = False
    complaints: int = 0
    complaint: str = ""
    """The last one."""


@dataclass(slots=True)
class Ended:
    """A run is over."""

    shuffle_id: str
    run_id: int
    barrier: str
    members: Sequence[str]
    """Whom to tell."""
    again: bool
    """Whether results of the run are to be discarded."""


class Closed(Exception):
    """The run is over, or there is none for the caller."""


class Inconsistent(Exception):
    """The shuffle began again too often."""


class Shuffles:
    """All shuffles of a scheduler."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        """By id of the shuffle."""
        self.last_run = 0
        """The run that began last, of all shuffles."""

    def join(self, shuffle_id: str, barrier: str, task: str, worker: str, available: Collection[str]) -> Run:
        """Have a worker take part in a shuffle.

        Parameters
        ----------
        available : collection of str
            Addresses of the workers that outputs may belong to, should a run begin.

        Raises
        ------
        Closed
            If there are no such workers.
        Inconsistent
            If the shuffle began again too often.
        """
        run = self.runs.get(shuffle_id)
        if run is None:
            run = self.runs[shuffle_id] = Run(shuffle_id, barrier, task)
        if run.complaints > _COMPLAINTS:
            raise Inconsistent(
                f"shuffle {shuffle_id} did not hold together, {run.complaints} times in a row; "
                f"the last time: {run.complaint}"
            )
        if not run.run_id:
            if not available:
                raise Closed(f"there are no workers for the outputs of shuffle {shuffle_id}")
            self.last_run += 1
            run.run_id = self.last_run
            run.first_sender = task
            run.barrier_seen = False
            run.workers = tuple(available)
            run.members = dict.fromkeys(available)
        run.members[worker] = None
        return run

    def current(self, shuffle_id: str, run_id: int) -> Run:
        """Return the run that a shuffle is in.

        Raises
        ------
        Closed
            If it is in another one.
        """
        run = self.runs.get(shuffle_id)
        if run is None or run.run_id != run_id:
            raise Closed(f"run {run_id} of shuffle {shuffle_id} is over")
        return run

    def complain(self, shuffle_id: str, run_id: int, state_of: StateOf, reason: str = "") -> Ended | None:
        """Take note that a run does not hold together, and end it. None if it is over and another one has begun.

        A barrier that has passed is said to be the present run's. If it turns out to be an older one's, the present run
        does not hold together either.
        """
        run = self.runs.get(shuffle_id)
        if run is None or (run.run_id != run_id and state_of(run.barrier) != "memory"):
            return None
        run.complaints += 1
        run.complaint = reason
        return self._end(run, again=True)

    def pause(self, shuffle_id: str) -> float:
        """Return for how many seconds to put up with a run that does not hold together: longer each time.

        What it lacks is often the fault of something that is about to be over, a process that leaves for instance.
        """
        run = self.runs.get(shuffle_id)
        return 0.0 if run is None else pause_after(run.complaints + 1, _FIRST_PAUSE, _LONGEST_PAUSE)

    def worker_gone(self, address: str, state_of: StateOf) -> list[Ended]:
        """End the runs that cannot do without a worker."""
        ended = []
        for run in list(self.runs.values()):
            if address not in run.members:
                continue
            if address in run.workers or state_of(run.barrier) != "memory":
                ended.append(self._end(run, again=True, without=address))
            else:
                # All that it had to send has arrived.
                del run.members[address]
        return ended

    def review(self, state_of: StateOf) -> list[Ended]:
        """End the runs that nobody needs any more."""
        ended = []
        for run in list(self.runs.values()):
            if state_of(run.barrier) in BARRIER_ACTIVE:
                run.barrier_seen = True
                continue
            if not run.barrier_seen and state_of(run.first_sender) in BARRIER_ACTIVE:
                # The rest of the graph is on its way.
                continue
            del self.runs[run.shuffle_id]
            if run.run_id:
                ended.append(self._end(run, again=False))
        return ended

    def _end(self, run: Run, again: bool, without: str = "") -> Ended:
        members = [address for address in run.members if address != without]
        ended = Ended(run.shuffle_id, run.run_id, run.barrier, members, again)
        run.run_id = 0
        run.workers = ()
        run.members = {}
        return ended


def places(workers: Sequence[str], outputs: Iterable[tuple[str, int]]) -> dict[str, str]:
    """Return the address of a worker for each key, of which the position is given."""
    return {key: workers[position] for key, position in outputs if 0 <= position < len(workers)}
