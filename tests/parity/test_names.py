"""Section 18 of the API: importable names."""

from __future__ import annotations

from typing import Any

import pytest

NAMES = """
Actor ActorFuture Adaptive BaseActorFuture CancelledError Client CondaInstall Environ Event Future InstallPlugin
KilledWorker LocalCluster Lock MultiLock Nanny NannyPlugin PipInstall Queue Reschedule SSHCluster Scheduler
SchedulerPlugin Semaphore SpecCluster Status SubprocessCluster TimeoutError UploadDirectory UploadFile
Variable Worker WorkerPlugin as_completed default_client fire_and_forget futures_of get_client get_task_metadata
get_task_stream get_worker local_client performance_report print progress rejoin secede span sync wait warn
worker_client
""".split()  # noqa: SIM905


@pytest.mark.parametrize("name", NAMES)
def test_name(lib: Any, name: str) -> None:
    assert getattr(lib, name) is not None


def test_errors_are_what_they_were(lib: Any) -> None:
    assert lib.TimeoutError is TimeoutError
    assert issubclass(lib.KilledWorker, Exception)
    assert issubclass(lib.Reschedule, Exception)
    from concurrent.futures import CancelledError

    assert issubclass(lib.CancelledError, CancelledError)
