"""The scheduler remembers the tasks that failed lately, whatever becomes of them."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import dask
import pytest

from dagrpc import Client, LocalCluster, wait
from dagrpc_scheduler.core import events, task_details
from tests.support.waiting import eventually
from tests.unit.scheduler.harness import A, Scheduler

WAIT = 60


def fail(number: int) -> None:
    raise ValueError(f"no {number}")


def kept(dask_scheduler: Any) -> list[tuple[str, str, int]]:
    return [(each.key, each.exception_text, len(each.erred_on)) for each in dask_scheduler.erred_tasks]


def errors(client: Client) -> dict[str, Any]:
    """Return the rows of the page Errors, as its viewers get them."""
    link = str(client.dashboard_link).replace("/status", "/stream?feeds=errors")
    with urllib.request.urlopen(link, timeout=WAIT) as stream:
        while True:
            line = stream.readline().decode()
            if line.startswith("data:") and "errors" in line:
                return dict(json.loads(line.removeprefix("data:")))


def test_failures_are_remembered_after_their_release_up_to_the_limit() -> None:
    with (
        dask.config.set({"distributed.diagnostics.erred-tasks.max-history": 3}),
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        futures = []
        for number in range(5):
            futures.append(client.submit(fail, number, key=f"fail-{number}"))
            wait(futures, timeout=WAIT)
        wait([client.submit(lambda _: None, futures[4], key="blames")], timeout=WAIT)
        expected = [(f"fail-{number}", f"ValueError('no {number}')", 1) for number in (4, 3, 2)]
        assert client.run_on_scheduler(kept) == expected
        del futures
        eventually(lambda: client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) == 0)
        assert client.run_on_scheduler(kept) == expected
        page = json.dumps(errors(client))
        assert all(f"fail-{number}" in page for number in (2, 3, 4))
        assert "fail-1" not in page
        assert '"former": true' in page


@pytest.mark.parametrize("length", [0, 1])
def test_the_history_is_as_long_as_configured(length: int) -> None:
    scheduler = Scheduler([A], erred_history=length)
    scheduler.submit({"x-1": "", "x-2": "", "y-1": "x-2"}, wanted=["x-1", "x-2", "y-1"])
    scheduler.fail("x-1", "boom 1")
    scheduler.fail("x-2", "boom 2")
    found = [(each.key, each.failure) for each in task_details.erred_history(scheduler.core)]
    assert found == [("x-2", "boom 2")][:length]


def test_a_retry_that_succeeds_is_no_failure() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x-1": ""}, options=events.TaskOptions(retries=1))
    scheduler.fail("x-1")
    scheduler.finish("x-1")
    assert task_details.erred_history(scheduler.core) == []
