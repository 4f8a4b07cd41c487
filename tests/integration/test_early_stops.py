"""Worker processes that are stopped during their start end without output."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest

from dagrpc_worker.nanny.worker_process import WorkerProcess

WAIT = 60.0


@pytest.mark.parametrize("pause", [0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1])
def test_a_worker_that_is_stopped_while_its_interpreter_starts_writes_nothing(pause: float) -> None:
    process = WorkerProcess({}, os.environ)
    ended: list[dict[str, Any]] = []
    done = threading.Event()

    def listen(message: dict[str, Any]) -> None:
        ended.append(message)
        done.set()

    process.listen(listen)
    time.sleep(pause)
    process.terminate()
    assert done.wait(WAIT)
    assert ended[0]["exit_code"] != 0
    # A worker that had got beyond its interpreter's start misses its settings, which says nothing of the stop.
    assert not any("KeyboardInterrupt" in line for line in ended[0]["log"])
