"""Code on a worker can read state of the worker that distributed does not show."""

from __future__ import annotations

import threading

from dagrpc import Client, get_worker


def test_threads_of_running_tasks(client: Client) -> None:
    def look() -> bool:
        return bool(get_worker().threads["with-a-thread"] == threading.get_ident())

    assert client.submit(look, key="with-a-thread").result(timeout=60)
