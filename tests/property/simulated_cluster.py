"""A cluster without sockets, threads or clocks: the real cores in a simulated environment.

One random generator chooses all events, so that a seed and a script of actions determine the history. Messages between
two peers keep their order; messages of different peers do not. A connection may break at any moment: messages in
transit are lost with it, and the worker is gone for the scheduler. The worker may live on with its tasks and register
again later, with its results. Transfers between workers may be refused, delayed or broken, and may miss results that
were dropped in the meantime.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from dagrpc_scheduler.core import events as scheduler_events
from dagrpc_scheduler.core import instructions as scheduler_instructions
from dagrpc_scheduler.core.config import CoreConfig
from dagrpc_scheduler.core.instructions import ClientInstruction
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_worker.core import events as worker_events
from dagrpc_worker.core import instructions
from dagrpc_worker.core.config import WorkerCoreConfig
from tests.property.simulated_worker import Running, SimulatedPool, SimulatedWorker, Transfer, value_of
from tests.property.translation import STATUS, order_of, report_of

LONG = 3_000
"""Steps after which a cluster without further actions must be at rest."""


class SimulatedClient:
    """The keys that a client wants, and the latest report about each."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.messages: deque[scheduler_events.Event] = deque()
        self.status: dict[str, str] = {}
        """``pending``, ``finished``, ``erred``, ``cancelled`` or ``rejected`` for each wanted key."""


class SimulatedCluster:
    """One scheduler, workers, clients and the network between them."""

    def __init__(self, seed: int, scheduler: CoreConfig, worker: WorkerCoreConfig, trouble: float) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.trouble = trouble
        """The probability that a transfer goes wrong in one way or another."""
        self.worker_config = worker
        self.core = SchedulerCore(scheduler, validate=True)
        self.log: list[tuple[tuple[scheduler_events.Event, ...], float, list[scheduler_instructions.Instruction]]] = []
        self.workers: list[SimulatedWorker] = []
        self.sessions: dict[str, SimulatedWorker] = {}
        """Workers by address, as far as the scheduler knows them."""
        self.reports: dict[str, deque[scheduler_events.Event]] = {}
        """Messages from each address; those of successive workers with one address follow each other."""
        self.joining: dict[str, deque[tuple[SimulatedWorker, int]]] = {}
        """Workers that are about to be known, with their sessions."""
        self.known_sessions: dict[str, int] = {}
        self.clients: dict[str, SimulatedClient] = {}
        self.transfers: list[Transfer] = []
        self.attempts: dict[str, int] = {}
        """Number of completed or failed runs of each task."""
        self.puts_failed: set[str] = set()
        """Data that could not be uploaded to a worker."""
        self.kills = 0
        self.breaks = 0

    # --- actions from outside ---

    def join(self, nthreads: int, resources: dict[str, float], address: str = "") -> SimulatedWorker:
        """Let a worker join."""
        # Two workers on each host.
        address = address or f"host{len(self.workers) // 2}:{len(self.workers)}"
        worker = SimulatedWorker(address, nthreads, resources, self.worker_config)
        self.workers.append(worker)
        self.reports.setdefault(address, deque())
        self._introduce(worker, ())
        return worker

    def _introduce(self, worker: SimulatedWorker, held: Sequence[tuple[str, int, int]]) -> None:
        address = worker.address
        self.joining.setdefault(address, deque()).append((worker, worker.session))
        host, _, number = address.partition(":")
        self.reports[address].append(
            scheduler_events.WorkerAdded(
                address,
                address,
                worker.nthreads,
                host,
                0,
                worker.resources,
                identity=f"{number}-{self.workers.index(worker)}".encode(),
                held=held,
            )
        )

    def kill(self, worker: SimulatedWorker, *, reconnects: bool = False) -> None:
        """Break a worker's connection, with the messages in transit. The worker may return without results."""
        worker.alive = False
        self._lose(worker)
        if reconnects:
            self.join(worker.nthreads, worker.resources, worker.address)

    def cut(self, worker: SimulatedWorker) -> None:
        """Break a worker's stream for longer than the grace period. The worker continues with its tasks."""
        worker.cut = True
        self._lose(worker)
        arrived = self.random.randint(0, len(worker.orders))
        while len(worker.orders) > arrived:
            worker.orders.pop()

    def come_back(self, worker: SimulatedWorker) -> None:
        """Let a worker whose stream broke register again, with its results."""
        worker.cut = False
        worker.session += 1
        worker.orders.clear()
        # Reports that follow from its results come after them.
        said = self._let_handle(worker, [worker_events.SessionRenewed()])
        self._introduce(worker, worker.core.view.holdings())
        if worker.paused:
            self.reports[worker.address].append(scheduler_events.WorkerStatusChanged(worker.address, "paused"))
        for instruction in said:
            self._carry_out(worker, instruction)

    def _lose(self, worker: SimulatedWorker) -> None:
        """Lose the latest messages of a worker, and let the scheduler give it up."""
        self.kills += 1
        reports = self.reports[worker.address]
        said = [index for index, event in enumerate(reports) if getattr(event, "worker", "") == worker.address]
        lost = set(said[self.random.randint(0, len(said)) :])
        for index in lost:
            event = reports[index]
            if isinstance(event, scheduler_events.ReplicasAdded):
                # The scheduler will never know that an upload to this worker arrived.
                self.puts_failed.update(event.sizes)
        kept = [event for index, event in enumerate(reports) if index not in lost]
        reports.clear()
        reports.extend(kept)
        reports.append(scheduler_events.WorkerRemoved(worker.address, reason="its connection broke"))
        for put, _ in worker.inbox:
            if isinstance(put, worker_events.DataPut):
                self.puts_failed.update(put.sizes)

    def close(self, worker: SimulatedWorker) -> None:
        """Let a worker without unique results leave. It refuses data that is being uploaded."""
        worker.alive = False
        self.reports[worker.address].append(
            scheduler_events.WorkerRemoved(worker.address, expected=True, reason="retired")
        )
        for put, _ in worker.inbox:
            if isinstance(put, worker_events.DataPut):
                self._put_failed(list(put.sizes))

    def _put_failed(self, keys: list[str]) -> None:
        """Let the clients give up data that could not be uploaded anywhere."""
        self.puts_failed.update(keys)
        for client in self.clients.values():
            lost = [key for key in keys if client.status.get(key) == "pending"]
            if lost:
                client.messages.append(scheduler_events.KeysCancelled(client.name, lost, force=True))

    def client(self, name: str) -> SimulatedClient:
        """Return a client, which is added if necessary."""
        if name not in self.clients:
            self.clients[name] = SimulatedClient(name)
            self.clients[name].messages.append(scheduler_events.ClientAdded(name))
        return self.clients[name]

    def _place(self, event: scheduler_events.ScatterAnnounced) -> None:
        """Choose the target workers of data, as the scheduler's servicer does."""
        workers = [worker for worker in self.sessions.values() if worker.alive]
        if workers:
            event.places = dict.fromkeys(event.sizes, (self.random.choice(workers).address,))

    def _put(self, announced: scheduler_events.ScatterAnnounced) -> None:
        """Let a client upload data to its target worker."""
        keys = list(announced.sizes)
        (address,) = announced.places[keys[0]] if announced.places else ("",)
        worker = self.sessions.get(address)
        if worker is None or not worker.alive:
            self._put_failed(keys)
            return
        values = {key: value_of(key, ()) for key in keys}
        worker.inbox.append((worker_events.DataPut(dict.fromkeys(values, 10)), values))

    def set_paused(self, worker: SimulatedWorker, paused: bool) -> None:
        """Let a worker run short of memory, or recover."""
        worker.inbox.append((worker_events.Paused() if paused else worker_events.Resumed(), {}))
        worker.paused = paused
        if worker.cut:
            return
        status = "paused" if paused else "running"
        self.reports[worker.address].append(scheduler_events.WorkerStatusChanged(worker.address, status))

    def alive(self) -> list[SimulatedWorker]:
        """Return the live workers."""
        return [worker for worker in self.workers if worker.alive]

    def connected(self) -> list[SimulatedWorker]:
        """Return the live workers whose stream is not broken."""
        return [worker for worker in self.alive() if not worker.cut]

    # --- steps ---

    def run(self, steps: int) -> None:
        """Take at most `steps` steps."""
        for _ in range(steps):
            if not self.step():
                return

    def run_to_rest(self) -> None:
        """Take steps until nothing is left to do."""
        for _ in range(LONG):
            if not self.step():
                return
        raise AssertionError(f"the cluster does not come to rest: {self.describe()}")

    def step(self) -> bool:
        """Take one step; tell whether there was any."""
        possible: list[Callable[[], None]] = []
        if self._pending_messages():
            possible += [self._scheduler_turn] * 2
        for worker in self.workers:
            if worker.alive:
                self._add_possible(worker, possible)
        possible += [lambda transfer=transfer: self._transfer(transfer) for transfer in self.transfers]  # type: ignore[misc]
        if not possible:
            return False
        self.now += 0.001
        self.random.choice(possible)()
        return True

    def _add_possible(self, worker: SimulatedWorker, possible: list[Callable[[], None]]) -> None:
        if worker.orders or worker.inbox:
            possible.append(lambda: self._worker_turn(worker))
        for pool in worker.pools.values():
            if pool.queue and len(pool.running) < pool.threads:
                possible.append(lambda pool=pool: self._take_up(worker, pool))  # type: ignore[misc]
            if pool.running:
                possible.append(lambda pool=pool: self._end(worker, pool.running))  # type: ignore[misc]
        if worker.seceded:
            possible.append(lambda: self._end(worker, worker.seceded))
        if worker.retries:
            possible.append(lambda: self._retry(worker))

    # --- the scheduler ---

    def _pending_messages(self) -> list[deque[scheduler_events.Event]]:
        queues = [client.messages for client in self.clients.values()]
        return [queue for queue in (*queues, *self.reports.values()) if queue]

    def _scheduler_turn(self) -> None:
        """Let the scheduler handle some messages of some peers."""
        batch: list[scheduler_events.Event] = []
        for _ in range(self.random.choice((1, 1, 2, 5, 10))):
            queues = self._pending_messages()
            if not queues:
                break
            queue = self.random.choice(queues)
            if batch and isinstance(queue[0], scheduler_events.WorkerAdded):
                # A shell must not confuse two workers with one address either.
                break
            event = queue.popleft()
            batch.append(event)
            if isinstance(event, scheduler_events.WorkerAdded):
                self.sessions[event.address], session = self.joining[event.address].popleft()
                self.known_sessions[event.address] = session
                break
        if self.random.random() < 0.2:
            batch.append(scheduler_events.BalanceDue())
        self._handle(batch)

    def _handle(self, batch: list[scheduler_events.Event]) -> None:
        for event in batch:
            if isinstance(event, scheduler_events.ScatterAnnounced):
                self._place(event)
        self.log.append((tuple(batch), self.now, []))
        result = self.core.handle_batch(batch, self.now)
        self.log[-1][2].extend(result)
        for instruction in result:
            if isinstance(instruction, ClientInstruction):
                self._tell_client(instruction)
            else:
                order = order_of(instruction)
                worker = self.sessions[instruction.worker]
                hears = worker.alive and not worker.cut and worker.session == self.known_sessions[instruction.worker]
                if order is not None and hears:
                    worker.orders.append(order)
        for event in batch:
            if isinstance(event, scheduler_events.ScatterAnnounced):
                self._put(event)

    def _tell_client(self, instruction: Any) -> None:
        client = self.clients[instruction.client]
        if isinstance(instruction, scheduler_instructions.RejectGraph):
            client.status.update(dict.fromkeys(instruction.keys, "rejected"))
        elif instruction.key in client.status:
            client.status[instruction.key] = STATUS[type(instruction)]

    # --- the workers ---

    def _worker_turn(self, worker: SimulatedWorker) -> None:
        """Let a worker handle some instructions and some of its own events."""
        batch: list[worker_events.Event] = []
        for _ in range(self.random.choice((1, 1, 2, 5, 10))):
            if worker.orders and (not worker.inbox or self.random.random() < 0.5):
                batch.append(worker.orders.popleft())
            elif worker.inbox:
                event, values = worker.inbox.popleft()
                if isinstance(event, worker_events.DataPut):
                    worker.store.update(values)
                batch.append(event)
        for instruction in self._let_handle(worker, batch):
            self._carry_out(worker, instruction)

    def _let_handle(self, worker: SimulatedWorker, batch: list[worker_events.Event]) -> list[instructions.Instruction]:
        worker.log.append((tuple(batch), self.now, []))
        result = worker.core.handle_batch(batch, self.now)
        worker.log[-1][2].extend(result)
        return result

    def _carry_out(self, worker: SimulatedWorker, instruction: instructions.Instruction) -> None:
        match instruction:
            case instructions.Execute():
                worker.pool(instruction.executor).queue.append(instruction)
            case instructions.CancelExecution():
                self._cancel(worker, instruction)
            case instructions.Reclaim():
                if not self._cancel(worker, instruction):
                    worker.inbox.append((worker_events.ExecuteKept(instruction.key, instruction.run_id), {}))
            case instructions.GatherData():
                self.transfers.append(Transfer(instruction.worker, worker, instruction.keys))
            case instructions.DropData():
                for key in instruction.keys:
                    worker.store.pop(key, None)
            case instructions.RetryPeerLater():
                worker.retries.append(instruction.worker)
            case _:
                report = report_of(worker.address, instruction)
                if worker.cut:
                    if isinstance(report, scheduler_events.ReplicasAdded):
                        self.puts_failed.update(report.sizes)
                elif report is not None:
                    self.reports[worker.address].append(report)

    def _cancel(
        self, worker: SimulatedWorker, instruction: instructions.CancelExecution | instructions.Reclaim
    ) -> bool:
        """Remove a task from its pool's queue. Return whether it was there."""
        for pool in worker.pools.values():
            for task in pool.queue:
                if (task.key, task.run_id) == (instruction.key, instruction.run_id):
                    pool.queue.remove(task)
                    worker.inbox.append((worker_events.ExecuteSkipped(task.key, task.run_id), {}))
                    return True
        return False

    def _retry(self, worker: SimulatedWorker) -> None:
        peer = worker.retries.pop(self.random.randrange(len(worker.retries)))
        worker.inbox.append((worker_events.PeerRetryDue(peer), {}))

    # --- threads ---

    def _take_up(self, worker: SimulatedWorker, pool: SimulatedPool) -> None:
        """Let a thread start the next task."""
        task = pool.queue.popleft()
        missing = [key for key in task.dependencies if key not in worker.store]
        assert not missing, f"{task.key} runs on {worker.address} without {missing}"
        values = {key: worker.store[key] for key in task.dependencies}
        pool.running.append(Running(task, values, self.now))

    def _end(self, worker: SimulatedWorker, threads: list[Running]) -> None:
        """Let an execution end, or leave its pool."""
        running = threads.pop(self.random.randrange(len(threads)))
        task, work = running.task, running.task.work
        key, run_id = task.key, task.run_id
        if work.secedes and threads is not worker.seceded:
            worker.seceded.append(running)
            worker.inbox.append((worker_events.TaskSeceded(key, run_id, self.now - running.start), {}))
            return
        attempt = self.attempts[key] = self.attempts.get(key, 0) + 1
        event: worker_events.Event
        if attempt <= work.failures:
            event = worker_events.ExecuteFailed(key, run_id, f"failure of {key}", running.start, self.now)
        elif work.reschedules and attempt == work.failures + 1:
            event = worker_events.ExecuteRescheduled(key, run_id)
        else:
            worker.store[key] = work.value(running.values)
            if work.untransferable:
                worker.untransferable.add(key)
            event = worker_events.ExecuteSucceeded(key, run_id, 10, "int", running.start, self.now)
        worker.inbox.append((event, {}))

    # --- transfers ---

    def _transfer(self, transfer: Transfer) -> None:
        """Let the source answer, or the answer arrive, or a fault happen."""
        target = transfer.target
        if not target.alive:
            self.transfers.remove(transfer)
            return
        trouble = self.random.random() < self.trouble
        event: worker_events.Event
        if transfer.served is None:
            source = next((worker for worker in self.alive() if worker.address == transfer.source), None)
            if source is None or (trouble and self.random.random() < 0.3):
                event = worker_events.GatherFailed(transfer.source, transfer.keys, gone=source is None)
                self._end_transfer(transfer, event, source)
            elif trouble and self.random.random() < 0.5:
                self._end_transfer(transfer, worker_events.GatherRefused(transfer.source, transfer.keys), source)
            else:
                self._serve(transfer, source, trouble)
            return
        missing = [
            key
            for key in transfer.keys
            if key not in transfer.served and key not in transfer.deferred and key not in transfer.untransferable
        ]
        target.store.update(transfer.served)
        event = worker_events.GatherSucceeded(
            transfer.source,
            dict.fromkeys(transfer.served, 10),
            missing,
            {key: f"{key} cannot be sent" for key in transfer.untransferable},
            transfer.deferred,
        )
        self._end_transfer(transfer, event, target)

    def _serve(self, transfer: Transfer, source: SimulatedWorker, trouble: bool) -> None:
        transfer.served = {}
        for key in transfer.keys:
            if trouble and self.random.random() < 0.3:
                transfer.deferred += (key,)
            elif key in source.store:
                if key in source.untransferable:
                    transfer.untransferable += (key,)
                else:
                    transfer.served[key] = source.store[key]

    def _end_transfer(self, transfer: Transfer, event: worker_events.Event, source: SimulatedWorker | None) -> None:
        self.transfers.remove(transfer)
        if isinstance(event, worker_events.GatherFailed) and source is not None:
            self.breaks += 1
        transfer.target.inbox.append((event, {}))

    def describe(self) -> str:
        """Describe what is left, for a failed assertion."""
        lines = [f"scheduler: {[repr(task) + ' ' + task.state for task in self.core.tasks.values()]}"]
        lines += [f"{worker.address}: {worker.core.view.counts()}" for worker in self.alive()]
        lines += [f"{client.name}: {client.status}" for client in self.clients.values()]
        return "\n".join(lines)
