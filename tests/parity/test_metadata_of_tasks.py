"""Metadata under the key of a task goes with the task; other metadata stays."""

from __future__ import annotations

import time
from typing import Any

from tests.parity.functions import inc

PATIENCE = 60


def test_metadata_of_a_task_is_forgotten_with_it(client: Any) -> None:
    future = client.submit(inc, 1, key="parity-with-metadata")
    future.result(timeout=PATIENCE)
    client.set_metadata("parity-with-metadata", 1)
    client.set_metadata(["parity-of-nobody", "x"], 2)
    time.sleep(1.5)
    assert client.get_metadata("parity-with-metadata") == 1
    del future
    deadline = time.monotonic() + PATIENCE
    while client.get_metadata("parity-with-metadata", default="gone") != "gone":
        assert time.monotonic() < deadline, "the metadata is left"
        time.sleep(0.1)
    assert client.get_metadata(["parity-of-nobody", "x"]) == 2
