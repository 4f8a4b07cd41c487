"""The accounts of clients under fair share only grow, also when clients leave."""

from __future__ import annotations

from dagrpc_scheduler.core import events, views
from dagrpc_scheduler.core.policy import Account
from dagrpc_scheduler.policies.fair_queue import FairQueue
from tests.unit.scheduler.harness import A, Scheduler


def fair() -> Scheduler:
    return Scheduler([A], queue_policy="fair-share", worker_saturation=1.0, fair_share_weights={"c": 2.0})


def accounts(scheduler: Scheduler) -> dict[str, Account]:
    found = views.accounts(scheduler.core)
    assert found is not None
    return dict(found)


def test_without_fair_share_there_are_no_accounts() -> None:
    assert views.accounts(Scheduler([A]).core) is None


def test_an_account_has_what_runs_took_and_what_waits() -> None:
    scheduler = fair()
    scheduler.submit({"x-1": "", "x-2": "", "x-3": ""}, wanted=["x-1", "x-2", "x-3"])
    scheduler.now += 4.0
    scheduler.finish(next(iter(scheduler.runs)), seconds=4.0)
    account = accounts(scheduler)["c"]
    # In seconds of threads: the weight changes the turns, not the account.
    assert account == Account(4.0, 1, account.waiting, 2.0)
    assert account.waiting == len([key for key in scheduler.states() if scheduler.state(key) == "queued"])


def test_accounts_of_clients_that_are_gone_are_added_up() -> None:
    scheduler = fair()
    scheduler.submit({"x-1": ""})
    scheduler.finish("x-1", seconds=4.0)
    scheduler.send(events.ClientRemoved("c"))
    queue = scheduler.core.state.queue
    assert isinstance(queue, FairQueue)
    queue._forget_shares()
    found = accounts(scheduler)
    assert set(found) == {""}
    assert (found[""].seconds, found[""].runs) == (4.0, 1)
