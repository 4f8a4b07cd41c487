"""Code of users that runs in the scheduler's process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dagrpc._codec.calls import run_payload
from dagrpc.exceptions import CodeNotAllowedError
from dagrpc.v1 import common_pb2, scheduler_service_pb2

_THREADS = 4


class UserCode:
    """Says whether clients may run code on the scheduler, and runs it."""

    def __init__(self, allowed: bool, scheduler: Callable[[], Any]) -> None:
        self.allowed = allowed
        self.threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="dagrpc-user-code")
        self._scheduler = scheduler

    @property
    def scheduler(self) -> Any:
        """The `Scheduler` that plugins and functions get."""
        return self._scheduler()

    def check_allowed(self, what: str, alternative: str = "") -> None:
        """Raise `CodeNotAllowedError` unless clients may run code here."""
        if not self.allowed:
            raise CodeNotAllowedError(
                f"This scheduler runs no {what}: start it with `dagrpc scheduler --allow-code`{alternative}"
            )

    async def run(self, function: common_pb2.Payload) -> scheduler_service_pb2.RunResult:
        """Run a client's function and return its result or exception."""
        return await run_payload(function, {"dask_scheduler": self.scheduler}, self.threads)

    def close(self) -> None:
        """Start no more functions."""
        self.threads.shutdown(wait=False, cancel_futures=True)
