"""Metadata under the key of a task goes with the task; other metadata stays."""

from __future__ import annotations

import time
from typing import Any

from tests.parity.functions import inc
from tests.support.waiting import eventually

PATIENCE = 60


def test_metadata_of_a_task_is_forgotten_with_it(client: Any) -> None:
    future = client.submit(inc, 1, key="parity-with-metadata")
    future.result(timeout=PATIENCE)
    client.set_metadata("parity-with-metadata", 1)
    client.set_metadata(["parity-of-nobody", "x"], 2)
    time.sleep(1.5)
    assert client.get_metadata("parity-with-metadata") == 1
    del future
    eventually(
        lambda: client.get_metadata("parity-with-metadata", default="gone") == "gone",
        PATIENCE,
        otherwise="the metadata is left",
    )
    assert client.get_metadata(["parity-of-nobody", "x"]) == 2
