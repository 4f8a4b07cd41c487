"""Long random walks of the model of `test_worker_machine`, which hypothesis would not take."""

from __future__ import annotations

import random
from collections.abc import Callable

from dagrpc_worker.core.transitions import TRANSITIONS
from tests.property.test_worker_machine import EXAMPLES, HERE, KEYS, PEERS, WorkerMachine


def walk(seed: int, steps: int) -> WorkerMachine:
    """Take a long random walk, as hypothesis would not: it prefers short histories, and few of them go deep."""
    choose = random.Random(seed)
    machine = WorkerMachine()
    machine.create(
        gathers=choose.randint(1, 3),
        gathers_per_peer=choose.randint(1, 2),
        holders_considered=choose.randint(1, 3),
        lookahead=choose.choice((0.0, 1.0)),
        gather_attempts=choose.randint(1, 2),
        lag=choose.randint(0, 3),
    )

    def some_keys() -> list[str]:
        return choose.sample(KEYS, choose.randint(1, 3))

    def some_data() -> list[tuple[str, int, tuple[str, ...]]]:
        return [(key, choose.randint(0, 120), some_holders()) for key in some_keys()]

    def some_holders() -> tuple[str, ...]:
        return tuple(choose.sample((*PEERS, HERE), choose.randint(0, 3)))

    def request() -> None:
        needs = [(choose.randint(0, 99), choose.randint(0, 120), some_holders()) for _ in range(choose.randint(0, 3))]
        resources = choose.choice(({}, {}, {"GPU": 1.0}, {"GPU": 2.0}, {"GPU": 1.0, "DISK": 1.0}))
        executor = choose.choice(("", "", "gpu"))
        duration = choose.choice((-1.0, 0.1, 5.0))
        machine.request(
            choose.choice(KEYS), needs, choose.randint(0, 3), resources, executor, duration, choose.choice((0.0, 2.0))
        )

    def end_gather() -> None:
        fates = choose.choices(("come", "missing", "deferred", "failed", "silence"), (5, 1, 1, 1, 1), k=len(KEYS))
        machine.end_gather(choose.randint(0, 99), choose.choice(("answer", "answer", "refuse", "break")), fates)

    def end_execution() -> None:
        outcome = choose.choice(("succeed", "succeed", "fail", "reschedule", "skip", "skip"))
        machine.end_execution(choose.randint(0, 99), outcome)

    for _ in range(steps):
        possible: list[tuple[int, Callable[[], None]]] = [
            (8, request),
            (4, lambda: machine.free(some_keys(), choose.random() < 0.3, choose.random() < 0.3)),
            (1, lambda: machine.steal(choose.choice(KEYS), choose.randint(0, 1))),
            (2, lambda: machine.want_replicas(some_data())),
            (1, lambda: machine.unwant_replicas(some_keys())),
            (1, lambda: machine.refresh(some_data())),
            (1, lambda: machine.put(some_keys())),
            (1, lambda: machine.pause_or_resume(choose.random() < 0.3)),
        ]
        if set(machine.executions) - machine.ended:
            possible.append((5, end_execution))
            if set(machine.executions) - machine.ended - machine.seceded:
                possible.append((1, lambda: machine.secede(choose.randint(0, 99))))
        if machine.executions:
            possible.append((2, lambda: machine.start_execution(choose.randint(0, 99))))
        if machine.alarmed:
            possible.append((2, machine.pass_time))
        if machine.timed_out:
            possible.append((1, machine.end_timed_out))
        if machine.gathers:
            possible.append((4, end_gather))
        if machine.resting:
            possible.append((2, lambda: machine.retry(choose.randint(0, 99))))
        if machine.inbox:
            possible.append((3, lambda: machine.handle(choose.randint(1, 4))))
        choose.choices([do for _, do in possible], [weight for weight, _ in possible])[0]()
        machine.the_store_is_what_the_core_believes()
        machine.the_scheduler_believes_what_is_true()
        machine.the_core_wants_what_the_scheduler_wants()
        machine.the_core_knows_what_goes_on()
    machine.teardown()
    return machine


def test_long_walks() -> None:
    taken: set[tuple[str, str]] = set()
    for seed in range(max(20, EXAMPLES // 5)):
        taken.update((entry[1], entry[2]) for entry in walk(seed, 400).core.view.story())
    # Only what the walks go through is tested by them.
    assert len(taken) >= 0.9 * len(TRANSITIONS)
