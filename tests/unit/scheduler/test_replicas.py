"""Replicas are created and dropped, and the last one is never dropped."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.events import ReplicasPlanned, TaskOptions
from dagrpc_scheduler.core.instructions import AcquireReplicas, RefreshWhoHas, RemoveReplicas, ReportCancelled
from dagrpc_scheduler.policies import rebalance
from dagrpc_scheduler.policies.replica_plan import ReplicaPlan
from dagrpc_scheduler.policies.replica_policies import (
    Suggestion,
    Suggestions,
    apply_suggestions,
    has_recipients,
    only_on,
    reduce_replicas,
    retire_worker,
)
from tests.unit.scheduler.harness import A, B, C, Scheduler, of_type

D = "d:1"


def plan(scheduler: Scheduler, memory: Mapping[str, int] | None = None) -> ReplicaPlan:
    state = scheduler.core.state
    return ReplicaPlan(state, lambda: {state.workers[each]: used for each, used in (memory or {}).items()})


def drops(scheduler: Scheduler, made: ReplicaPlan) -> dict[str, list[str]]:
    event = made.event("test")
    return {} if event is None else {address: list(keys) for address, keys in event.drops.items()}


def gains(made: ReplicaPlan) -> dict[str, list[str]]:
    event = made.event("test")
    return {} if event is None else {address: list(keys) for address, keys in event.gains.items()}


# --- the transaction ---


def test_a_copy_that_is_to_be_dropped_does_not_count_from_then_on() -> None:
    scheduler = Scheduler([A, B])
    scheduler.scatter("x", A, B)
    assert scheduler.send(ReplicasPlanned(drops={A: ["x"]})) == [RemoveReplicas(A, ["x"])]
    assert scheduler.holders("x") == [B]
    # It is the only replica now.
    assert scheduler.send(ReplicasPlanned(drops={B: ["x"]})) == []
    scheduler.send(events.ReplicasRemoved(A, ["x"]))
    assert scheduler.holders("x") == [B]


def test_two_copies_that_are_to_be_dropped_at_once_leave_one() -> None:
    scheduler = Scheduler([A, B])
    scheduler.scatter("x", A, B)
    assert scheduler.send(ReplicasPlanned(drops={A: ["x"], B: ["x"]})) == [RemoveReplicas(A, ["x"])]
    assert scheduler.holders("x") == [B]


def test_a_copy_that_is_refused_counts_again() -> None:
    scheduler = Scheduler([A, B])
    scheduler.scatter("x", A, B)
    scheduler.send(ReplicasPlanned(drops={A: ["x"]}))
    scheduler.send(events.ReplicasAdded(A, {"x": 10}, kept=True))
    assert scheduler.holders("x") == [B, A]
    assert scheduler.send(ReplicasPlanned(drops={B: ["x"]})) == [RemoveReplicas(B, ["x"])]


def test_an_answer_from_before_the_request_is_no_refusal() -> None:
    scheduler = Scheduler([A, B])
    scheduler.scatter("x", A, B)
    scheduler.send(ReplicasPlanned(drops={A: ["x"]}))
    # The replica had just been uploaded once more.
    scheduler.send(events.ReplicasAdded(A, {"x": 10}))
    assert scheduler.holders("x") == [B, A]
    assert scheduler.send(ReplicasPlanned(drops={B: ["x"]})) == []
    scheduler.send(events.ReplicasRemoved(A, ["x"]))
    assert scheduler.holders("x") == [B]


def test_a_copy_that_a_task_there_uses_is_not_dropped() -> None:
    scheduler = Scheduler([A, B])
    scheduler.scatter("x", A, B)
    scheduler.submit({"y": "x"}, options=TaskOptions(workers=(A,)))
    assert scheduler.place("y") == A
    assert scheduler.send(ReplicasPlanned(drops={A: ["x"]})) == []
    assert scheduler.send(ReplicasPlanned(drops={B: ["x"]})) == [RemoveReplicas(B, ["x"])]


def test_a_fetching_worker_learns_that_a_copy_goes() -> None:
    scheduler = Scheduler([A, B, C])
    scheduler.scatter("x", A, B)
    scheduler.submit({"y": "x"}, options=TaskOptions(workers=(C,)))
    result = scheduler.send(ReplicasPlanned(drops={A: ["x"]}))
    assert result == [RemoveReplicas(A, ["x"]), RefreshWhoHas(C, [("x", 10, (B,))])]


@pytest.mark.parametrize("status", ["retiring", "closing"])
def test_a_copy_on_a_worker_that_leaves_does_not_keep_another_one_from_being_the_last(status: str) -> None:
    scheduler = Scheduler([A, B])
    scheduler.scatter("x", A, B)
    scheduler.status(A, status)
    assert scheduler.send(ReplicasPlanned(drops={B: ["x"]})) == []
    assert scheduler.send(ReplicasPlanned(drops={A: ["x"]})) == [RemoveReplicas(A, ["x"])]


def test_orders_that_are_out_of_date_are_passed_over() -> None:
    scheduler = Scheduler([A, B])
    scheduler.scatter("x", A)
    scheduler.submit({"y": ""})
    event = ReplicasPlanned({A: ["x", "unknown"], "gone:1": ["x"], B: ["y"]}, {B: ["x", "unknown"], "gone:1": ["x"]})
    assert scheduler.send(event) == []
    assert scheduler.send(ReplicasPlanned({B: ["x"]})) == [AcquireReplicas(B, [("x", 10, (A,))])]
    scheduler.status(B, "paused")
    assert scheduler.send(ReplicasPlanned({B: ["x"]})) == []


def test_an_old_complaint_does_not_make_the_only_copy_a_lost_one() -> None:
    scheduler = Scheduler([A, B, C])
    scheduler.scatter("x", A, B)
    scheduler.send(ReplicasPlanned(drops={A: ["x"]}))
    scheduler.send(events.ReplicasRemoved(A, ["x"]))
    # The result returns to A, and the other holder leaves.
    scheduler.send(ReplicasPlanned({A: ["x"]}))
    scheduler.send(events.ReplicasAdded(A, {"x": 10}))
    scheduler.send(ReplicasPlanned(drops={B: ["x"]}))
    scheduler.send(events.ReplicasRemoved(B, ["x"]))
    # C had asked A in between.
    result = scheduler.send(events.DataMissing(C, "x", A))
    assert result == [AcquireReplicas(A, [("x", 10, (A,))]), RefreshWhoHas(C, [("x", 10, (A,))])]
    assert scheduler.holders("x") == [A]
    # A reports it if it lacks the result, and a minute later no earlier request can be on its way.
    scheduler.now += 100.0
    result = scheduler.send(events.DataMissing(C, "x", A))
    assert [report.key for report in of_type(ReportCancelled, result)] == ["x"]


def test_a_worker_that_is_lost_leaves_nothing_of_its_orders() -> None:
    scheduler = Scheduler([A, B])
    scheduler.scatter("x", A, B)
    scheduler.send(ReplicasPlanned(drops={A: ["x"]}))
    scheduler.lose(A)
    scheduler.worker(A)
    scheduler.send(events.ReplicasAdded(A, {"x": 10}))
    assert scheduler.send(ReplicasPlanned(drops={B: ["x"]})) == [RemoveReplicas(B, ["x"])]
    scheduler.release("x")
    assert scheduler.is_empty()


# --- who is chosen ---


def test_the_worker_with_least_memory_gets_a_copy_and_the_one_with_most_drops_it() -> None:
    scheduler = Scheduler([A, B, C, D])
    scheduler.scatter("x", A, nbytes=100)
    task = scheduler.core.tasks["x"]
    made = plan(scheduler, {A: 0, B: 30, C: 20, D: 50})
    assert [made.replicate(task), made.replicate(task)] == [scheduler.core.state.workers[each] for each in (C, B)]
    # The workers count the results as theirs already.
    assert made.memory[scheduler.core.state.workers[C]] == 120
    assert gains(made) == {B: ["x"], C: ["x"]} or gains(made) == {C: ["x"], B: ["x"]}
    scheduler.send(events.ReplicasAdded(B, {"x": 100}), events.ReplicasAdded(C, {"x": 100}))
    made = plan(scheduler, {A: 5, B: 30, C: 20})
    chosen = [made.drop(task), made.drop(task), made.drop(task)]
    assert [worker.address if worker else None for worker in chosen] == [B, C, None]


def test_candidates_are_the_only_choice() -> None:
    scheduler = Scheduler([A, B, C])
    scheduler.scatter("x", A, B)
    task = scheduler.core.tasks["x"]
    a, b, c = (scheduler.core.state.workers[each] for each in (A, B, C))
    made = plan(scheduler)
    assert made.replicate(task, set()) is None
    assert made.replicate(task, {a, b}) is None
    assert made.replicate(task, {a, c}) is c
    assert made.drop(task, {c}) is None
    assert made.drop(task, {a}) is a
    # A replica in transit is not there.
    assert made.drop(task) is None
    # The replica does not return to a worker that drops it either.
    assert made.replicate(task) is None


def test_neither_paused_workers_nor_those_that_leave_get_copies() -> None:
    scheduler = Scheduler([A, B, C, D])
    scheduler.scatter("x", A)
    for address, status in ((B, "paused"), (C, "retiring"), (D, "closing")):
        scheduler.status(address, status)
    assert plan(scheduler).replicate(scheduler.core.tasks["x"]) is None
    workers = set(scheduler.core.state.workers.values())
    assert plan(scheduler).replicate(scheduler.core.tasks["x"], workers) is None


def test_actors_and_what_is_not_there_are_left_alone() -> None:
    scheduler = Scheduler([A, B])
    scheduler.submit({"actor": ""}, options=TaskOptions(actor=True))
    scheduler.finish("actor")
    scheduler.submit({"y": ""}, wanted=["y"])
    for key in ("actor", "y"):
        assert plan(scheduler).replicate(scheduler.core.tasks[key]) is None
        assert plan(scheduler).drop(scheduler.core.tasks[key]) is None


def test_results_that_somebody_copies_are_exempt() -> None:
    scheduler = Scheduler([A, B])
    scheduler.scatter("x", A, B)
    made = ReplicaPlan(scheduler.core.state, dict, frozenset({"x"}))
    assert made.drop(scheduler.core.tasks["x"]) is None


def test_wishes_are_told_who_was_chosen() -> None:
    scheduler = Scheduler([A, B])
    scheduler.scatter("x", A)
    told = []

    def suggestions() -> Suggestions:
        task = scheduler.core.tasks["x"]
        told.append((yield Suggestion("replicate", task)))
        told.append((yield Suggestion("replicate", task)))

    apply_suggestions(plan(scheduler), suggestions())
    assert [worker.address if worker else None for worker in told] == [B, None]


def test_no_more_copies_are_dropped_than_the_limit() -> None:
    scheduler = Scheduler([A, B])
    for key in "xyz":
        scheduler.scatter(key, A, B)
    made = ReplicaPlan(scheduler.core.state, dict, limit=2)
    apply_suggestions(made, reduce_replicas(made))
    assert made.is_full
    assert sum(len(keys) for keys in drops(scheduler, made).values()) == 2


# --- ReduceReplicas ---


def test_one_copy_stays_of_what_nobody_is_about_to_use() -> None:
    scheduler = Scheduler([A, B, C])
    scheduler.scatter("x", A, B, C)
    scheduler.scatter("y", A)
    made = plan(scheduler, {A: 1, B: 2, C: 3})
    apply_suggestions(made, reduce_replicas(made))
    assert drops(scheduler, made) == {B: ["x"], C: ["x"]}
    # Other policies have decided so before.
    apply_suggestions(made, reduce_replicas(made))
    assert drops(scheduler, made) == {B: ["x"], C: ["x"]}


def test_as_many_copies_stay_as_workers_are_about_to_use_them() -> None:
    scheduler = Scheduler([A, B, C])
    scheduler.scatter("x", A, B, C)
    for number, address in enumerate((A, B)):
        scheduler.submit({f"y{number}": "x"}, options=TaskOptions(workers=(address,)))
    made = plan(scheduler)
    apply_suggestions(made, reduce_replicas(made))
    assert drops(scheduler, made) == {C: ["x"]}


def test_copies_stay_for_tasks_of_which_nobody_knows_where_they_will_run() -> None:
    scheduler = Scheduler([A, B, C])
    scheduler.scatter("x", A, B, C)
    scheduler.submit({"w": "", "y1": "x w", "y2": "x w"}, wanted=["y1", "y2"])
    made = plan(scheduler)
    apply_suggestions(made, reduce_replicas(made))
    assert sum(len(keys) for keys in drops(scheduler, made).values()) == 1


# --- RetireWorker ---


def test_the_only_copy_on_a_leaving_worker_is_copied() -> None:
    scheduler = Scheduler([A, B, C])
    scheduler.scatter("x", A)
    scheduler.scatter("y", A, B)
    scheduler.status(A, "retiring")
    a = scheduler.core.state.workers[A]
    assert [task.key for task in only_on(a)] == ["x"]
    asked: dict[str, tuple[str, int]] = {}
    made = plan(scheduler, {B: 10, C: 5})
    apply_suggestions(made, retire_worker(made, a, asked))
    assert gains(made) == {C: ["x"]}
    # The worker that was asked continues, whatever its memory use is.
    made = plan(scheduler, {B: 1, C: 5})
    apply_suggestions(made, retire_worker(made, a, asked))
    assert gains(made) == {C: ["x"]}
    # The worker is not asked for ever, nor if it cannot fetch the result.
    scheduler.status(C, "paused")
    made = plan(scheduler, {B: 1, C: 5})
    apply_suggestions(made, retire_worker(made, a, asked))
    assert gains(made) == {B: ["x"]}
    scheduler.send(events.ReplicasAdded(B, {"x": 10}))
    assert list(only_on(a)) == []


def test_two_leaving_workers_are_no_safe_place_for_each_other() -> None:
    scheduler = Scheduler([A, B, C])
    scheduler.scatter("x", A, B)
    scheduler.status(A, "retiring")
    scheduler.status(B, "retiring")
    made = plan(scheduler)
    for address in (A, B):
        worker = scheduler.core.state.workers[address]
        assert [task.key for task in only_on(worker)] == ["x"]
        assert has_recipients(made, worker)
        apply_suggestions(made, retire_worker(made, worker, {}))
    # One replica is enough.
    assert gains(made) == {C: ["x"]}
    scheduler.status(C, "paused")
    assert not has_recipients(plan(scheduler), scheduler.core.state.workers[A])


# --- rebalance ---


def movable(scheduler: Scheduler, memory: Mapping[str, int], **options: object) -> list[tuple[str, str, str]]:
    workers = scheduler.core.state.workers
    found = rebalance.moves(
        [workers[address] for address in memory],
        {workers[address]: used for address, used in memory.items()},
        **options,  # type: ignore[arg-type]
    )
    return [(move.task.key, move.sender.address, move.recipient.address) for move in found]


@pytest.fixture
def uneven() -> Scheduler:
    """A holds eight results of ten bytes with a limit of a hundred; the others hold nothing."""
    scheduler = Scheduler()
    for address in (A, B, C):
        scheduler.worker(address, memory_limit=100)
    for number in range(8):
        scheduler.scatter(f"x{number}", A)
    return scheduler


def test_the_oldest_results_move_to_the_emptiest_workers(uneven: Scheduler) -> None:
    assert movable(uneven, {A: 80, B: 0, C: 10}) == [
        ("x0", A, B),
        ("x1", A, B),
        ("x2", A, C),
        ("x3", A, B),
        ("x4", A, C),
    ]


def test_nobody_gives_who_uses_little_and_nobody_gets_who_uses_much(uneven: Scheduler) -> None:
    assert movable(uneven, {A: 29, B: 0, C: 0}) == []
    limits = rebalance.Limits(recipient_max=0.05)
    assert movable(uneven, {A: 80, B: 0, C: 10}, limits=limits) == []
    # Within the band around the mean.
    assert movable(uneven, {A: 60, B: 52, C: 54}) == []


def test_only_what_may_move_does(uneven: Scheduler) -> None:
    assert movable(uneven, {A: 80, B: 0, C: 10}, keys=frozenset({"x5", "unknown"})) == [("x5", A, B)]
    assert movable(uneven, {A: 80, B: 0}, keys=frozenset()) == []
    assert movable(uneven, {A: 80}) == []
    # A task on the worker uses the result.
    uneven.submit({"y": "x0"}, options=TaskOptions(workers=(A,)))
    assert movable(uneven, {A: 80, B: 0, C: 10})[0] == ("x1", A, B)
    # B has its own replica.
    uneven.send(events.ReplicasAdded(B, {"x1": 10}))
    assert movable(uneven, {A: 80, B: 0, C: 10})[0] == ("x1", A, C)
    uneven.status(B, "paused")
    assert {recipient for _, _, recipient in movable(uneven, {A: 80, B: 0, C: 10})} == {C}


def test_a_result_larger_than_the_difference_stays() -> None:
    scheduler = Scheduler()
    for address in (A, B):
        scheduler.worker(address, memory_limit=100)
    scheduler.scatter("x", A, nbytes=60)
    assert movable(scheduler, {A: 60, B: 0}) == []


def test_workers_without_a_limit_end_up_equal() -> None:
    scheduler = Scheduler([A, B])
    for number in range(4):
        scheduler.scatter(f"x{number}", A)
    assert movable(scheduler, {A: 40, B: 0}) == [("x0", A, B), ("x1", A, B)]
