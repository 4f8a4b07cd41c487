"""P2P shuffles: the current run of each shuffle, its participants, and its end.

To the core, the tasks of a shuffle are ordinary tasks. Their results are useless, however, without the data that was
sent between workers in the same run. A run therefore ends

- when its barrier, the task that waits for all sending tasks, is no longer computed or kept: all outputs are there,
  or nobody wants them;
- when a worker leaves that has sent data before the barrier has passed, or that owns outputs;
- when a worker finds the run inconsistent.

In the last two cases, the results of all sending tasks are discarded. Those that are still needed are computed again,
which starts another run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from dagrpc._common.backoff import pause_after

BARRIER_ACTIVE: Final = frozenset(("waiting", "no-worker", "queued", "processing", "memory"))
"""States of a barrier whose run continues."""
_COMPLAINTS: Final = 10
"""Maximum number of consecutive restarts of a shuffle because of inconsistent runs."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0

StateOf = Callable[[str], str | None]
"""Returns the state of a task by its key; None: there is no such task."""


@dataclass(slots=True)
class Run:
    """A shuffle and its current run."""

    shuffle_id: str
    barrier: str
    """Key of the task that waits for all sending tasks."""
    first_sender: str
    """Key of the first sending task; the barrier may not have arrived when it sends."""
    run_id: int = 0
    """Number of the current run; 0: none."""
    workers: tuple[str, ...] = ()
    """Addresses of the workers that own outputs."""
    members: dict[str, None] = field(default_factory=dict)
    """Addresses of the workers that own outputs or have sent data."""
    barrier_seen: bool = False
    complaints: int = 0
    complaint: str = ""
    """The latest report of an inconsistency."""
    given_up: bool = False
    """Whether the shuffle began again too often."""


@dataclass(slots=True)
class Ended:
    """The end of a run."""

    shuffle_id: str
    run_id: int
    barrier: str
    members: Sequence[str]
    """Addresses of the workers to tell."""
    again: bool
    """Whether the results of the run are discarded."""


class Closed(Exception):
    """The run is over, or the caller has no part in it."""


class Inconsistent(Exception):
    """The shuffle was restarted too often."""


@dataclass(slots=True)
class ShuffleCounts:
    """Counts of what has happened to shuffles since the scheduler started."""

    runs: int = 0
    """Runs that began, restarts included."""
    lost_worker: int = 0
    """Runs that ended early because a worker left."""
    inconsistent: int = 0
    """Runs that ended early because a worker found them inconsistent."""
    failed: int = 0
    """Shuffles that were given up because they began again too often."""


class Shuffles:
    """All shuffles of a scheduler."""

    def __init__(self) -> None:
        self.counts = ShuffleCounts()
        self.runs: dict[str, Run] = {}
        """Shuffles by id."""
        self.last_run = 0
        """Number of the run that started last, of any shuffle."""

    def join(self, shuffle_id: str, barrier: str, task: str, worker: str, available: Collection[str]) -> Run:
        """Let a worker take part in a shuffle, and start a run if there is none.

        Parameters
        ----------
        available : collection of str
            Addresses of the workers that may own outputs if a run starts.

        Raises
        ------
        Closed
            If there are no such workers.
        Inconsistent
            If the shuffle was restarted too often.
        """
        run = self.runs.get(shuffle_id)
        if run is None:
            run = self.runs[shuffle_id] = Run(shuffle_id, barrier, task)
        if run.complaints > _COMPLAINTS:
            if not run.given_up:
                run.given_up = True
                self.counts.failed += 1
            raise Inconsistent(
                f"shuffle {shuffle_id} was inconsistent {run.complaints} times in a row; the last time: {run.complaint}"
            )
        if not run.run_id:
            if not available:
                raise Closed(f"there are no workers for the outputs of shuffle {shuffle_id}")
            self.last_run += 1
            self.counts.runs += 1
            run.run_id = self.last_run
            run.first_sender = task
            run.barrier_seen = False
            run.workers = tuple(available)
            run.members = dict.fromkeys(available)
        run.members[worker] = None
        return run

    def current(self, shuffle_id: str, run_id: int) -> Run:
        """Return the current run of a shuffle.

        Raises
        ------
        Closed
            If the shuffle is in another run.
        """
        run = self.runs.get(shuffle_id)
        if run is None or run.run_id != run_id:
            raise Closed(f"run {run_id} of shuffle {shuffle_id} is over")
        return run

    def complain(self, shuffle_id: str, run_id: int, state_of: StateOf, reason: str = "") -> Ended | None:
        """End a run that a worker found inconsistent; None if another run has started already.

        A barrier that has passed is attributed to the current run. If it belongs to an older run, the current run is
        inconsistent as well.
        """
        run = self.runs.get(shuffle_id)
        if run is None or (run.run_id != run_id and state_of(run.barrier) != "memory"):
            return None
        run.complaints += 1
        run.complaint = reason
        self.counts.inconsistent += 1
        return self._end(run, again=True)

    def pause(self, shuffle_id: str) -> float:
        """Return the seconds to wait before an inconsistent run is ended, longer each time.

        An inconsistency often has a cause that ends soon, such as a process that is about to exit.
        """
        run = self.runs.get(shuffle_id)
        return 0.0 if run is None else pause_after(run.complaints + 1, _FIRST_PAUSE, _LONGEST_PAUSE)

    def worker_gone(self, address: str, state_of: StateOf) -> list[Ended]:
        """End the runs that depend on a worker which left."""
        ended = []
        for run in list(self.runs.values()):
            if address not in run.members:
                continue
            if address in run.workers or state_of(run.barrier) != "memory":
                self.counts.lost_worker += bool(run.run_id)
                ended.append(self._end(run, again=True, without=address))
            else:
                # All data of this worker has arrived.
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
                # The rest of the graph has not arrived yet.
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
    """Return the address of a worker for each key, whose position is given."""
    return {key: workers[position] for key, position in outputs if 0 <= position < len(workers)}
