"""A restart of workers without nannies is an error that leaves all workers in place."""

from __future__ import annotations

from typing import Any

import pytest


def test_a_restart_of_workers_without_nannies_is_an_error(lib: Any) -> None:
    with lib.Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0") as client:
        with pytest.raises(TimeoutError, match=r"(?s)after.*2.*restart"):
            client.restart(timeout="1s")
        assert client.scheduler_info()["workers"] == {}


def test_restarting_without_waiting_is_none(lib: Any) -> None:
    with lib.Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as client:
        assert client.restart(wait_for_workers=False) is None


def test_restarting_some_workers_touches_none_if_one_has_no_nanny(lib: Any) -> None:
    with lib.Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0") as client:
        addresses = list(client.scheduler_info()["workers"])
        for raise_for_error in (True, False):
            with pytest.raises(ValueError, match="Restarting workers requires a nanny to be used"):
                client.restart_workers(addresses, timeout=10, raise_for_error=raise_for_error)
        assert list(client.scheduler_info()["workers"]) == addresses
        assert client.submit(sum, [1, 2]).result(timeout=60) == 3
