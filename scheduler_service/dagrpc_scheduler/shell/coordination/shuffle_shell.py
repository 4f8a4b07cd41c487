"""Tells workers of the runs of their shuffles, and the core of what follows from them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dagrpc.exceptions import P2PConsistencyError, ShuffleClosedError
from dagrpc.v1 import shuffle_service_pb2 as pb
from dagrpc_scheduler.coordination.shuffle_runs import Closed, Ended, Inconsistent, Run, Shuffles, places
from dagrpc_scheduler.core import events, instructions, views

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

logger = logging.getLogger("dagrpc.scheduler")


class ShuffleCoordination:
    """The shuffles of a scheduler.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service
        self._shuffles = Shuffles()
        self.runs = self._shuffles.runs
        """What there is, by id of the shuffle. Empty most of the time: then nothing needs to be reviewed."""

    @property
    def last_run(self) -> int:
        """The run that began last, of all shuffles."""
        return self._shuffles.last_run

    # --- what workers ask for ------------------------------------------------------------------------------------

    def join(self, request: pb.JoinShuffleRequest) -> pb.JoinShuffleResponse:
        """Have a worker take part in a shuffle.

        Raises
        ------
        ShuffleClosedError
            If it is not to run the task for which it asks.
        P2PConsistencyError
            If the shuffle began again too often.
        """
        core = self._service.core
        if views.processing_on(core, request.task) != request.worker:
            raise ShuffleClosedError(f"{request.task!r} is not to be run on {request.worker} any more")
        available = views.allowed_for_dependents(core, request.barrier)
        try:
            run = self._shuffles.join(request.shuffle_id, request.barrier, request.task, request.worker, available)
        except Closed as error:
            raise ShuffleClosedError(str(error)) from None
        except Inconsistent as error:
            raise P2PConsistencyError(str(error)) from None
        return pb.JoinShuffleResponse(run_id=run.run_id, workers=run.workers)

    def pass_barrier(self, request: pb.PassBarrierRequest) -> pb.PassBarrierResponse:
        """Have the tasks for the outputs run where the outputs will be, and tell who has to be flushed.

        Raises
        ------
        ShuffleClosedError
            If the run is over.
        """
        run = self._current(request.run)
        advice = places(run.workers, [(output.key, output.worker) for output in request.outputs])
        if advice:
            self._service.handle(events.PlacesAdvised(advice, self._service.stimulus("shuffle-barrier")))
        return pb.PassBarrierResponse(members=list(run.members))

    async def restart(self, request: pb.RestartShuffleRequest) -> None:
        """Begin a shuffle again, after a pause."""
        shuffle_id = request.run.shuffle_id
        before = self._run_of(shuffle_id)
        await asyncio.sleep(self._shuffles.pause(shuffle_id))
        if self._run_of(shuffle_id) != before:
            # Somebody else was faster, and this is not about the run that there is now.
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
            self._service.handle_batch(self._consequences([ended]))

    def _run_of(self, shuffle_id: str) -> int:
        run = self.runs.get(shuffle_id)
        return run.run_id if run is not None else 0

    def _current(self, run: pb.ShuffleRun) -> Run:
        try:
            return self._shuffles.current(run.shuffle_id, run.run_id)
        except Closed as error:
            raise ShuffleClosedError(str(error)) from None

    # --- what happens otherwise ----------------------------------------------------------------------------------

    def without(self, address: str) -> list[events.Event]:
        """Return what the core is to be told after a worker has left."""
        if not self.runs:
            return []
        ended = self._shuffles.worker_gone(address, self._state_of)
        for each in ended:
            logger.warning("Shuffle %s begins again: worker %s has left", each.shuffle_id, address)
        return self._consequences(ended)

    def review(self) -> None:
        """End what nobody needs any more."""
        self._consequences(self._shuffles.review(self._state_of))

    def _state_of(self, key: str) -> str | None:
        return views.state_of(self._service.core, key)

    def _consequences(self, ended: Iterable[Ended]) -> list[events.Event]:
        """Tell workers of the end of runs, and return what the core is to be told."""
        found: list[events.Event] = []
        for run in ended:
            # Before anything that the core has them do, so that nothing of what is to come joins the old run.
            for worker in run.members:
                self._service.send(instructions.EndShuffle(worker, run.shuffle_id, run.run_id))
            if run.again:
                keys = [run.barrier, *views.dependencies(self._service.core, run.barrier)]
                found.append(events.ResultsDiscarded(keys, self._service.stimulus("shuffle-restart")))
        return found
