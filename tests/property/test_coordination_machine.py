"""Any operations of clients in any order: locks exclude each other, no request is forgotten, and the first is served
first."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dagrpc_scheduler.coordination import operations as ops
from dagrpc_scheduler.coordination.primitives.multilock import MultiLocks
from dagrpc_scheduler.coordination.primitives.queues import Queues
from dagrpc_scheduler.coordination.primitives.semaphore import Semaphores
from tests.unit.coordination.harness import Bench, data, future

CLIENTS = st.sampled_from("abc")
TIMEOUTS = st.sampled_from([None, None, 0.0, 1.0, 5.0])
LEASE = 8.0
MAX_LEASES = {"l": 1, "s": 2}
MAX_SIZE = 2


class CommonMachine(RuleBasedStateMachine):
    """The conditions that hold after any operation."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(LEASE)
        self.asked: dict[tuple[str, int], tuple[ops.Operation, float | None]] = {}
        """Requests without an answer, in order."""
        self.leases: dict[tuple[str, int], tuple[str, float]] = {}
        self.locks: dict[tuple[str, int], tuple[tuple[str, ...], int]] = {}
        self.sent: list[bytes] = []
        """Values that were put into the queue, in the order in which the puts were answered."""
        self.received: list[bytes] = []
        self.to_take: set[tuple[str, int]] = set()
        self.count = 0

    def ask(self, client: str, operation: ops.Operation, timeout: float | None = None) -> None:
        number = self.bench.ask(client, operation, timeout)
        self.asked[client, number] = (operation, None if timeout is None else self.bench.now + timeout)
        self.look()

    def who_wait_for(self, semaphore: str) -> list[int]:
        return [
            number
            for (_, number), (operation, _) in self.asked.items()
            if isinstance(operation, ops.AcquireLease) and operation.name == semaphore
        ]

    def look(self) -> None:
        """Record the new answers."""
        bench = self.bench
        for name, answer in bench.answers.items():
            operation, _ = self.asked.pop(name)
            match operation:
                case ops.AcquireLease(semaphore) if answer.done:
                    # Requests are served in order of arrival.
                    assert all(number > name[1] for number in self.who_wait_for(semaphore))
                    self.leases[name] = (semaphore, bench.now + LEASE)
                case ops.AcquireLocks(names, count) if answer.done:
                    self.locks[name] = (names, count)
                case ops.PutQueue(value=value) if answer.done:
                    self.sent.append(value.data)
                case ops.GetQueue() if answer.done:
                    self.received += [value.data for value in answer.values]
            if any(value.keys for value in answer.values):
                self.to_take.add(name)
        bench.answers.clear()

    @precondition(lambda self: self.asked)
    @rule(choice=st.data())
    def withdraw(self, choice: st.DataObject) -> None:
        client, number = choice.draw(st.sampled_from(sorted(self.asked)))
        self.bench.ask(client, ops.CancelRequest(number))
        self.look()
        assert (client, number) not in self.asked

    @rule(client=CLIENTS)
    def go(self, client: str) -> None:
        for table in (self.asked, self.leases, self.locks):
            for name in [name for name in table if name[0] == client]:
                del table[name]
        self.to_take = {name for name in self.to_take if name[0] != client}
        self.bench.gone(client)
        self.look()

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0]))
    def wait(self, seconds: float) -> None:
        now = self.bench.now + seconds
        self.leases = {name: lease for name, lease in self.leases.items() if lease[1] > now}
        self.bench.move(seconds)
        self.look()

    @invariant()
    def nobody_waits_too_long(self) -> None:
        assert all(deadline is None or deadline > self.bench.now for _, deadline in self.asked.values())


class LockMachine(CommonMachine):
    @rule(client=CLIENTS, name=st.sampled_from("ls"), timeout=TIMEOUTS)
    def acquire(self, client: str, name: str, timeout: float | None) -> None:
        self.ask(client, ops.AcquireLease(name, MAX_LEASES[name], transient=name == "l"), timeout)

    @precondition(lambda self: self.leases)
    @rule(choice=st.data())
    def release(self, choice: st.DataObject) -> None:
        client, lease = choice.draw(st.sampled_from(sorted(self.leases)))
        del self.leases[client, lease]
        self.ask(client, ops.ReleaseLease(lease))

    @rule(client=CLIENTS)
    def renew(self, client: str) -> None:
        mine = [name for name in self.leases if name[0] == client]
        for name in mine:
            self.leases[name] = (self.leases[name][0], self.bench.now + LEASE)
        self.bench.ask(client, ops.RenewLeases([number for _, number in mine]))

    @rule(client=CLIENTS, names=st.sets(st.sampled_from("xyz"), min_size=1), timeout=TIMEOUTS, choice=st.data())
    def acquire_locks(self, client: str, names: set[str], timeout: float | None, choice: st.DataObject) -> None:
        count = choice.draw(st.integers(1, len(names)))
        self.ask(client, ops.AcquireLocks(tuple(sorted(names)), count), timeout)

    @precondition(lambda self: self.locks)
    @rule(choice=st.data())
    def release_locks(self, choice: st.DataObject) -> None:
        client, lease = choice.draw(st.sampled_from(sorted(self.locks)))
        del self.locks[client, lease]
        self.ask(client, ops.ReleaseLocks(lease))

    @invariant()
    def leases_exclude(self) -> None:
        held = Counter(semaphore for semaphore, _ in self.leases.values())
        waiting = {asked.name for asked, _ in self.asked.values() if isinstance(asked, ops.AcquireLease)}
        for name, most in MAX_LEASES.items():
            assert held[name] <= most
            # No wake-up is lost: a request waits only while there is no lease.
            assert held[name] == most or name not in waiting

    @invariant()
    def lines_are_in_order(self) -> None:
        for name in MAX_LEASES:
            semaphore = self.bench.coordinator.all_of(Semaphores).state(name)
            line = [] if semaphore is None else [request.number for request in semaphore.line]
            assert line == self.who_wait_for(name)

    @invariant()
    def locks_exclude(self) -> None:
        lines = self.bench.coordinator.all_of(MultiLocks).lines
        held = Counter(hold.request.lease for line in lines.values() for hold in line if hold.granted)
        assert held == Counter({name: count for name, (_, count) in self.locks.items()})
        for line in lines.values():
            assert [hold.granted for hold in line][1:] == [False] * (len(line) - 1)
        # The first waiting request has all its free locks.
        for name, (operation, _) in self.asked.items():
            if isinstance(operation, ops.AcquireLocks):
                heads = [next(iter(lines[lock])) for lock in operation.names]
                assert sum(head.request.lease == name for head in heads) < operation.count


class ValueMachine(CommonMachine):
    @rule(client=CLIENTS, timeout=TIMEOUTS, is_future=st.booleans())
    def put(self, client: str, timeout: float | None, is_future: bool) -> None:
        self.count += 1
        value = future(f"k{self.count % 4}") if is_future else data(str(self.count))
        value.data += b" %d" % self.count
        self.ask(client, ops.PutQueue("q", value, MAX_SIZE, open=True), timeout)

    @rule(client=CLIENTS, timeout=TIMEOUTS, count=st.integers(0, 3))
    def get(self, client: str, timeout: float | None, count: int) -> None:
        self.ask(client, ops.GetQueue("q", count, MAX_SIZE, open=True), timeout)

    @precondition(lambda self: self.to_take)
    @rule(choice=st.data())
    def take(self, choice: st.DataObject) -> None:
        client, number = choice.draw(st.sampled_from(sorted(self.to_take)))
        self.to_take.discard((client, number))
        self.bench.ask(client, ops.AcknowledgeValues(number))

    @rule(client=CLIENTS, key=st.sampled_from("mn"))
    def set_variable(self, client: str, key: str) -> None:
        self.ask(client, ops.SetVariable("v", future(key)))

    @rule(client=CLIENTS, timeout=TIMEOUTS)
    def get_variable(self, client: str, timeout: float | None) -> None:
        self.ask(client, ops.GetVariable("v"), timeout)

    @rule(client=CLIENTS)
    def delete_variable(self, client: str) -> None:
        self.ask(client, ops.DeleteVariable("v"))

    @rule(client=CLIENTS, operation=st.sampled_from([ops.SetEvent("e"), ops.ClearEvent("e")]))
    def change_event(self, client: str, operation: ops.Operation) -> None:
        self.ask(client, operation)
        waiting = [asked for asked, _ in self.asked.values() if isinstance(asked, ops.WaitEvent)]
        assert not (isinstance(operation, ops.SetEvent) and waiting)

    @rule(client=CLIENTS, timeout=TIMEOUTS)
    def wait_event(self, client: str, timeout: float | None) -> None:
        self.ask(client, ops.WaitEvent("e"), timeout)

    @invariant()
    def the_queue_is_in_order(self) -> None:
        queue = self.bench.coordinator.all_of(Queues).state("q")
        assert len(self.received) == len(set(self.received))
        assert set(self.received) <= set(self.sent)
        if queue is not None:
            assert len(queue.values) <= MAX_SIZE + 3
            assert not (queue.values and queue.getters)
            assert not (queue.putters and (len(queue.values) < MAX_SIZE or queue.getters))
            collected = [value.data for getter in queue.getters.values() for value in getter.values]
            left = [value.data for value in queue.values]
            assert sorted(self.received + collected + left) == sorted(self.sent)
            assert left == sorted(left, key=self.sent.index)

    @invariant()
    def results_are_held(self) -> None:
        queue = self.bench.coordinator.all_of(Queues).state("q")
        here = [] if queue is None else [*queue.values, *(v for g in queue.getters.values() for v in g.values)]
        needed = {key for value in here for key in value.keys}
        assert needed <= self.bench.held.get("queue-q", set())
        if not here and not self.to_take:
            assert "queue-q" not in self.bench.held
            assert len(self.bench.held.get("variable-v", ())) <= 1


LockMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
ValueMachine.TestCase.settings = LockMachine.TestCase.settings
TestLocks = LockMachine.TestCase
TestValues = ValueMachine.TestCase
