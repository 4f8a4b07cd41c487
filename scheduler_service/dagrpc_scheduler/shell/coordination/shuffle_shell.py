"""Coordinates the runs of shuffles: answers workers, and tells the core what follows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from dagrpc.exceptions import P2PConsistencyError, ShuffleClosedError
from dagrpc.v1 import shuffle_service_pb2 as pb
from dagrpc_scheduler.coordination.shuffle_runs import Closed, Ended, Inconsistent, Run, ShuffleCounts, Shuffles, places
from dagrpc_scheduler.core import events, instructions, shuffle_views
from dagrpc_scheduler.shell.core_driver import CoreDriver

logger = logging.getLogger("dagrpc.scheduler")


class ShuffleShell:
    """The shuffles of a scheduler."""

    def __init__(self, driver: CoreDriver) -> None:
        self._driver = driver
        self._shuffles = Shuffles()
        self.runs = self._shuffles.runs
        """The current run of each shuffle, by shuffle id; usually there is none."""
        driver.after_batch = self.review

    @property
    def counts(self) -> ShuffleCounts:
        """Counts of what has happened to shuffles so far."""
        return self._shuffles.counts

    @property
    def last_run(self) -> int:
        """The id of the run that began last, of all shuffles."""
        return self._shuffles.last_run

    # --- requests of workers -------------------------------------------------------------------------------------

    def join(self, request: pb.JoinShuffleRequest) -> pb.JoinShuffleResponse:
        """Let a worker take part in a shuffle.

        Raises `ShuffleClosedError` if the worker is not to run the task for which it asks, and `P2PConsistencyError` if
        the shuffle began again too often.
        """
        core = self._driver.core
        if shuffle_views.processing_on(core, request.task) != request.worker:
            raise ShuffleClosedError(f"{request.task!r} is not to be run on {request.worker} any more")
        available = shuffle_views.allowed_for_dependents(core, request.barrier)
        try:
            run = self._shuffles.join(request.shuffle_id, request.barrier, request.task, request.worker, available)
        except Closed as error:
            raise ShuffleClosedError(str(error)) from None
        except Inconsistent as error:
            raise P2PConsistencyError(str(error)) from None
        return pb.JoinShuffleResponse(run_id=run.run_id, workers=run.workers)

    def pass_barrier(self, request: pb.PassBarrierRequest) -> pb.PassBarrierResponse:
        """Place the output tasks where their outputs will be, and return the workers that must be flushed.

        Raises `ShuffleClosedError` if the run is over.
        """
        run = self._current(request.run)
        advice = places(run.workers, [(output.key, output.worker) for output in request.outputs])
        if advice:
            self._driver.handle(events.PlacesAdvised(advice, self._driver.stimulus("shuffle-barrier")))
        return pb.PassBarrierResponse(members=list(run.members))

    async def restart(self, request: pb.RestartShuffleRequest) -> None:
        """Begin a shuffle again, after a pause."""
        shuffle_id = request.run.shuffle_id
        before = self._run_of(shuffle_id)
        await asyncio.sleep(self._shuffles.pause(shuffle_id))
        if self._run_of(shuffle_id) != before:
            # Another worker complained first: the shuffle has a new run already.
            return
        reason = f"{request.reason} (on {request.worker})"
        ended = self._shuffles.complain(shuffle_id, request.run.run_id, self._state_of, reason)
        if ended is not None:
            logger.warning(
                "Run %d of shuffle %s begins again: %s on %s",
                ended.run_id,
                ended.shuffle_id,
                request.reason,
                request.worker,
            )
            self._driver.handle_batch(self._consequences([ended]))

    def _run_of(self, shuffle_id: str) -> int:
        run = self.runs.get(shuffle_id)
        return run.run_id if run is not None else 0

    def _current(self, run: pb.ShuffleRun) -> Run:
        try:
            return self._shuffles.current(run.shuffle_id, run.run_id)
        except Closed as error:
            raise ShuffleClosedError(str(error)) from None

    # --- other changes -------------------------------------------------------------------------------------------

    def without(self, address: str) -> list[events.Event]:
        """Return the events that follow for shuffles when a worker leaves."""
        if not self.runs:
            return []
        ended = self._shuffles.worker_gone(address, self._state_of)
        for each in ended:
            logger.warning("Shuffle %s begins again: worker %s has left", each.shuffle_id, address)
        return self._consequences(ended)

    def review(self) -> None:
        """End the runs whose outputs no task needs any more."""
        if self.runs:
            self._consequences(self._shuffles.review(self._state_of))

    def _state_of(self, key: str) -> str | None:
        return shuffle_views.state_of(self._driver.core, key)

    def _consequences(self, ended: Iterable[Ended]) -> list[events.Event]:
        """Tell workers that runs have ended, and return the events that follow."""
        found: list[events.Event] = []
        for run in ended:
            # Workers learn it before the core's next instructions, so that no later task joins the old run.
            for worker in run.members:
                self._driver.send(instructions.EndShuffle(worker, run.shuffle_id, run.run_id))
            if run.again:
                keys = [run.barrier, *shuffle_views.dependencies(self._driver.core, run.barrier)]
                found.append(events.ResultsDiscarded(keys, self._driver.stimulus("shuffle-restart")))
        return found
