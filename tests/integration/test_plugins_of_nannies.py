"""Worker plugins that a nanny hands to its worker."""

from __future__ import annotations

import asyncio

import pytest

from dagrpc import Nanny, Scheduler, Worker, WorkerPlugin
from dagrpc._common.server_status import Status


class Refusing(WorkerPlugin):
    def setup(self, worker: Worker) -> None:
        raise ValueError("no licence")


def test_a_plugin_that_fails_keeps_a_nanny_from_starting() -> None:
    async def body() -> None:
        async with Scheduler() as scheduler:
            nanny = Nanny(scheduler.address, nthreads=1, plugins={Refusing()})
            with pytest.raises(RuntimeError, match="Nanny failed to start") as raised:
                await nanny
            assert nanny.status is Status.failed
        cause = raised.value.__cause__
        assert isinstance(cause, RuntimeError)
        assert str(cause).startswith("Worker failed to start")
        assert repr(cause.__cause__) == "ValueError('no licence')"

    asyncio.run(body())
