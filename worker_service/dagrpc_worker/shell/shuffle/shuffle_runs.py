"""The shuffles that a worker takes part in, each with its present run, for tasks and for other workers."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
import threading
from collections import Counter, OrderedDict
from collections.abc import Coroutine, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.message import Message

from dagrpc import config
from dagrpc._common.backoff import pauses
from dagrpc._loop.io_loop import spawn
from dagrpc._rpc.channels import ChannelPool, ServiceClient
from dagrpc.exceptions import CommClosedError, Reschedule, ShuffleClosedError
from dagrpc.shuffle.shuffle_tasks import Passed, Sent
from dagrpc.shuffle.specs import Parcel, Piece, ShuffleSpec, owner_of
from dagrpc.v1 import shuffle_service_pb2 as pb
from dagrpc_worker.data.byte_budget import ByteBudget
from dagrpc_worker.data.shuffle_store import ShuffleStore
from dagrpc_worker.execute import task_context
from dagrpc_worker.shell.shuffle.shuffle_outbox import Outbox, ParcelReader
from dagrpc_worker.shell.shuffle.shuffle_run import Run
from dagrpc_worker.shell.worker_record import WorkerRecord

if TYPE_CHECKING:
    from dagrpc_worker.shell.session.scheduler_session import SchedulerSession

logger = logging.getLogger("dagrpc.worker")

M = TypeVar("M", bound=Message)
T = TypeVar("T")

COORDINATION_SERVICE = pb.DESCRIPTOR.services_by_name["ShuffleCoordinationService"]

_CALL_SECONDS = 600.0
_CLOSING_SECONDS = 10.0
_LOOK = 1.0
"""Seconds after which a waiting thread checks whether its run is over."""
_REMEMBERED = 10_000
"""Number of shuffles whose ended runs are remembered."""
_PART_OF_MEMORY = 10
"""Each of the two buffers may have 1/10 of the worker's memory limit."""
_THREADS = 4
_GIVING_UP = (ShuffleClosedError, CommClosedError, TimeoutError)
"""Errors which mean that a run is over, or will be once the scheduler notices that a worker is gone."""


class Shuffles:
    """The shuffles of a worker."""

    def __init__(self, worker: WorkerRecord, channels: ChannelPool, session: SchedulerSession) -> None:
        self._worker = worker
        self._session = session
        self._loop = asyncio.get_running_loop()
        # A worker with little memory has smaller buffers.
        most = worker.memory_limit // _PART_OF_MEMORY or sys.maxsize
        self._outbox = Outbox(channels, min(config.get_bytes("p2p.comm.buffer"), most))
        self._budget = ByteBudget(min(config.get_bytes("p2p.storage.buffer"), most))
        self._disk = bool(config.get("p2p.storage.disk"))
        self._patience = 2 * (config.get_seconds("comm.timeouts.tcp") or 30.0)
        """Seconds in which the scheduler notices that a worker cannot be reached."""
        self._before = 0
        """The latest run that began before this process registered; its parcels went to a former process."""
        self._runs: dict[str, Run] = {}
        self._ended: OrderedDict[str, int] = OrderedDict()
        """The latest run that is over, by id of the shuffle."""
        self._joining: dict[str, asyncio.Task[Run]] = {}
        self._received_nbytes = 0
        """Bytes of the parcels that other workers have sent."""
        self._making_room = threading.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        threads = config.get("p2p.threads") or min(max(worker.nthreads, 1), _THREADS)
        self._threads = ThreadPoolExecutor(int(threads), thread_name_prefix="dagrpc-shuffle")

    # --- for tasks: in their threads ------------------------------------------------------------------------------

    def transfer(self, spec: ShuffleSpec, source: int, data: Any) -> Sent:
        """Send the data of a source to the workers whose outputs it belongs to."""
        run = self._run_of(spec)
        owners = []
        try:
            for position, parcel in spec.split(data, source, len(run.workers)):
                address = run.workers[position]
                owners.append(position)
                if address == self._worker.address:
                    self._keep(run, parcel)
                else:
                    self._wait_for_room(run)
                    self._outbox.budget.take(parcel.nbytes)
                    self._loop.call_soon_threadsafe(self._outbox.put, run, [(address, parcel)])
            run.check()
        except _GIVING_UP as error:
            self._on_loop(self._after(run, error))
        return Sent(run.run_id, tuple(owners), spec.template(data))

    def pass_barrier(self, spec: ShuffleSpec, outputs: Mapping[str, int], sent: Sequence[Sent]) -> Passed:
        """Wait until all parcels have arrived."""
        return self._on_loop(self._pass_barrier(spec, outputs, sent))

    def collect(self, spec: ShuffleSpec, output: int, passed: Passed) -> list[Piece]:
        """Return the pieces of an output."""
        position = owner_of(output, spec.count, len(passed.workers))
        owner, parcels = passed.workers[position], passed.parcels[position]
        try:
            if owner == self._worker.address:
                return self._read(spec.id, passed.run_id, output, parcels)
            run = pb.ShuffleRun(shuffle_id=spec.id, run_id=passed.run_id)
            request = pb.FetchOutputRequest(run=run, output=output, parcels=parcels)
            return self._on_loop(self._fetch(owner, request))
        except ShuffleClosedError as error:
            self._on_loop(self._complain(spec.id, passed.run_id, str(error)))
            raise Reschedule from None

    def _read(self, shuffle_id: str, run_id: int, output: int, parcels: int) -> list[Piece]:
        """Return the pieces of an output that belongs to this worker.

        Raises
        ------
        ShuffleClosedError
            If the run is over, or fewer parcels have arrived than were sent, for instance because some went to a former
            process at this address.
        """
        run = self._known(shuffle_id, run_id)
        if run is not None:
            return run.store.read(output, parcels)
        if parcels:
            raise ShuffleClosedError(f"No parcel has arrived; {parcels} sources have sent some")
        return []

    def _on_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _run_of(self, spec: ShuffleSpec) -> Run:
        """Return the run that a task takes part in."""
        run = self._runs.get(spec.id)
        if run is None or not run.workers or run.closed:
            try:
                run = self._on_loop(self._join(spec, task_context.get_context().key))
            except ShuffleClosedError:
                raise Reschedule from None
        return run

    def _keep(self, run: Run, parcel: Parcel) -> None:
        self._make_room()
        run.store.add(parcel)

    def _make_room(self) -> None:
        """Write parcels to disk while too many are in memory. Blocking."""
        while self._disk and self._budget.exhausted:
            with self._making_room:
                if self._budget.exhausted:
                    stores = [run.store for run in list(self._runs.values())]
                    largest = max(stores, key=lambda store: store.movable, default=None)
                    if largest is None or not largest.movable:
                        return
                    largest.write()

    def _wait_for_room(self, run: Run) -> None:
        while (room := self._outbox.budget.room()) is not None:
            run.check()
            try:
                room.result(_LOOK)
            except TimeoutError:
                continue

    # --- on the loop ---------------------------------------------------------------------------------------------

    def _scheduler(self) -> ServiceClient:
        client = self._session.client
        if client is None:
            raise CommClosedError("The worker has no connection to its scheduler")
        return ServiceClient(client.channel, COORDINATION_SERVICE, client.peer)

    async def _ask(self, method: str, request: Message, response_type: type[M]) -> M:
        """Ask the scheduler for a task.

        Raises
        ------
        Reschedule
            If the scheduler does not answer. The reschedule is reported once the connection is open again; if the
            scheduler has removed the worker by then, the task runs elsewhere anyway. Asking twice has no effect.
        """
        try:
            return await self._scheduler().call(method, request, response_type)
        except (CommClosedError, TimeoutError) as error:
            logger.info("The scheduler does not answer %s; the task runs again: %s", method, error)
            raise Reschedule from None

    async def _join(self, spec: ShuffleSpec, task: str) -> Run:
        """Take part in a shuffle; several tasks share one request to the scheduler."""
        joining = self._joining.get(spec.id)
        if joining is None:
            joining = self._joining[spec.id] = spawn(self._ask_to_join(spec, task), self._tasks)
            joining.add_done_callback(lambda _: self._joining.pop(spec.id, None))
        return await asyncio.shield(joining)

    async def _ask_to_join(self, spec: ShuffleSpec, task: str) -> Run:
        request = pb.JoinShuffleRequest(
            shuffle_id=spec.id, worker=self._worker.address, task=task, barrier=spec.barrier
        )
        answer = await self._ask("JoinShuffle", request, pb.JoinShuffleResponse)
        run = self.run(spec.id, answer.run_id)
        run.workers = tuple(answer.workers)
        return run

    def run(self, shuffle_id: str, run_id: int) -> Run:
        """Return a run; it begins here if it was unknown.

        Raises
        ------
        ShuffleClosedError
            If the run is over.
        """
        run = self._runs.get(shuffle_id)
        if run is not None and run.run_id == run_id:
            return run
        if run_id <= max(self._ended.get(shuffle_id, 0), run.run_id if run is not None else 0):
            raise ShuffleClosedError(f"Run {run_id} of shuffle {shuffle_id} is over")
        if run is not None:
            self.end(shuffle_id, run.run_id)
        path = Path(self._worker.local_directory) / "shuffle" / f"run-{run_id}"
        store = ShuffleStore(path if self._disk else None, self._budget, shuffle_id)
        run = self._runs[shuffle_id] = Run(shuffle_id, run_id, store)
        return run

    def _known(self, shuffle_id: str, run_id: int) -> Run | None:
        """Return a run; None if this worker has neither sent nor received a parcel of it.

        Raises
        ------
        ShuffleClosedError
            If the run is over.
        """
        run = self._runs.get(shuffle_id)
        latest = max(self._ended.get(shuffle_id, 0), run.run_id - 1 if run is not None else 0)
        if run_id <= latest:
            raise ShuffleClosedError(f"Run {run_id} of shuffle {shuffle_id} is over")
        return run if run is not None and run.run_id == run_id else None

    def end(self, shuffle_id: str, run_id: int) -> None:
        """Forget a run and all earlier ones."""
        self._ended[shuffle_id] = max(self._ended.pop(shuffle_id, 0), run_id)
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)
        run = self._runs.get(shuffle_id)
        if run is not None and run.run_id <= run_id:
            self._drop(run)

    def _drop(self, run: Run) -> None:
        del self._runs[run.id]
        run.close()
        self._outbox.end(run)
        spawn(asyncio.to_thread(run.store.close), self._tasks)

    async def _pass_barrier(self, spec: ShuffleSpec, outputs: Mapping[str, int], sent: Sequence[Sent]) -> Passed:
        # If a run ends at the wrong moment, results of sources may belong to an earlier run.
        run = await self._joined(spec, {each.run_id for each in sent})
        workers = run.workers
        request = pb.PassBarrierRequest(
            run=run.message,
            worker=self._worker.address,
            outputs=[
                pb.OutputPlace(key=key, worker=owner_of(output, spec.count, len(workers)))
                for key, output in outputs.items()
            ],
        )
        try:
            answer = await self._ask("PassBarrier", request, pb.PassBarrierResponse)
            await run.unless_over(self._flush_all(run, answer.members))
        except _GIVING_UP as error:
            await self._after(run, error)
        # Parcels that arrived at the wrong process, for instance one that is closing, are missed on reading.
        parcels = Counter(itertools.chain.from_iterable(each.owners for each in sent))
        counts = tuple(parcels[position] for position in range(len(workers)))
        template = next((each.template for each in sent if each.template is not None), None)
        return Passed(run.run_id, workers, counts, template)

    async def _joined(self, spec: ShuffleSpec, run_ids: Set[int]) -> Run:
        """Return the run in which all sources were sent."""
        try:
            run = self._runs.get(spec.id)
            if run is None or not run.workers:
                run = await self._join(spec, task_context.get_context().key)
        except ShuffleClosedError:
            raise Reschedule from None
        if run_ids - {run.run_id}:
            await self._complain(spec.id, run.run_id, f"sources were sent in runs {sorted(run_ids)}")
            raise Reschedule
        return run

    async def _flush_all(self, run: Run, members: Sequence[str]) -> None:
        await asyncio.gather(*(self._flush(run, member) for member in members))

    async def _flush(self, run: Run, address: str) -> None:
        if address == self._worker.address:
            await self.flush(run)
            return
        client = self._outbox.client(address)
        request = pb.FlushShuffleRequest(run=run.message)
        call = partial(client.call, "FlushShuffle", request, pb.FlushShuffleResponse, _CALL_SECONDS)
        await self._outbox.repeat(run, address, call)

    async def flush(self, run: Run) -> None:
        """Wait until all parcels that this worker sends in a run have arrived."""
        await run.flush()

    async def _after(self, run: Run, error: Exception) -> None:
        """End a task because of an error: it runs again, in another run."""
        if isinstance(error, CommClosedError | TimeoutError):
            # The scheduler may not have noticed yet that a worker is gone.
            await run.wait_closed(self._patience)
        if not run.closed:
            # All workers are present but cannot reach each other. The scheduler counts such reports.
            await self._complain(run.id, run.run_id, str(error))
        raise Reschedule from None

    async def _complain(self, shuffle_id: str, run_id: int, reason: str) -> None:
        request = pb.RestartShuffleRequest(
            run=pb.ShuffleRun(shuffle_id=shuffle_id, run_id=run_id), worker=self._worker.address, reason=reason
        )
        await self._ask("RestartShuffle", request, pb.RestartShuffleResponse)

    async def _fetch(self, owner: str, request: pb.FetchOutputRequest) -> list[Piece]:
        """Fetch the pieces of an output from the worker that holds it."""
        last: Exception | None = None
        for pause in itertools.chain([0.0], itertools.islice(pauses(0.1), 8)):
            await asyncio.sleep(pause)
            if request.run.run_id <= self._ended.get(request.run.shuffle_id, 0):
                break
            try:
                return await self._fetch_once(owner, request)
            except (CommClosedError, TimeoutError) as error:
                last = error
        raise ShuffleClosedError(f"Output {request.output} cannot be fetched from {owner}: {last}")

    async def _fetch_once(self, owner: str, request: pb.FetchOutputRequest) -> list[Piece]:
        import grpc

        from dagrpc._rpc import error_status

        call = self._outbox.client(owner).open_download("FetchOutput", request)
        reader, pieces = ParcelReader(), []
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                async for data in call:
                    for parcel in reader.take(pb.FetchOutputResponse.FromString(data).parcels):
                        first, last = parcel.starts[0], parcel.starts[-1]
                        pieces.append(Piece(parcel.source, parcel.format, parcel.body, first, last))
        except grpc.aio.AioRpcError as error:
            raise error_status.from_rpc_error(error, f"worker {owner}") from None
        finally:
            call.cancel()
        return pieces

    def numbers(self) -> dict[str, float]:
        """Return the bytes that shuffles take and have sent and received, by the names that heartbeats give them."""
        stores = [run.store for run in self._runs.values()]
        return {
            "shuffle_sent_bytes_total": self._outbox.sent_nbytes,
            "shuffle_received_bytes_total": self._received_nbytes,
            "shuffle_memory_bytes": sum(store.in_memory for store in stores) + self._outbox.budget.used,
            "shuffle_disk_bytes": sum(store.on_disk for store in stores),
        }

    # --- for other workers ---------------------------------------------------------------------------------------

    async def keep(self, message: pb.ShuffleRun, parcels: Sequence[Parcel]) -> None:
        """Store parcels of another worker."""
        self._check_own(message.shuffle_id, message.run_id)
        for parcel in parcels:
            if self._disk and self._budget.exhausted:
                await self._loop.run_in_executor(self._threads, self._make_room)
            if self.run(message.shuffle_id, message.run_id).store.add(parcel):
                self._received_nbytes += parcel.nbytes

    async def output(self, message: pb.ShuffleRun, output: int, parcels: int) -> list[Piece]:
        """Return the pieces of an output for another worker."""
        read = partial(self._read, message.shuffle_id, message.run_id, output, parcels)
        return await self._loop.run_in_executor(self._threads, read)

    async def flush_known(self, message: pb.ShuffleRun) -> None:
        """Wait until all that this worker sends in a run has arrived.

        Raises
        ------
        ShuffleClosedError
            If the run is over, or a parcel could not be sent.
        """
        run = self._known(message.shuffle_id, message.run_id)
        if run is None:
            self._check_own(message.shuffle_id, message.run_id)
        else:
            try:
                await self.flush(run)
            except (CommClosedError, TimeoutError) as error:
                raise ShuffleClosedError(f"{self._worker.address} could not send all parcels: {error}") from None

    def registered(self, last_run: int) -> None:
        """Note that the worker has registered after `last_run`: parcels of runs up to it went to another process.

        Parcels that come before this call are kept: the scheduler may count on the worker already.
        """
        self._before = last_run
        for run in list(self._runs.values()):
            if run.run_id <= last_run:
                self._drop(run)

    def _check_own(self, shuffle_id: str, run_id: int) -> None:
        """Raise if parcels of a run for this address may have gone to another process."""
        if run_id <= self._before:
            raise ShuffleClosedError(
                f"Run {run_id} of shuffle {shuffle_id} began before the worker at {self._worker.address} registered"
            )

    def end_all(self) -> None:
        """Forget all runs."""
        for run in list(self._runs.values()):
            self.end(run.id, run.run_id)

    async def close(self) -> None:
        """Forget all runs, and accept no others."""
        self.end_all()
        await self._outbox.close()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=_CLOSING_SECONDS)
        self._threads.shutdown(wait=False, cancel_futures=True)
