"""Waits, in a process of its own, until a scheduler and its workers hold no state of earlier clients.

The program prints the state that remains at the end of its patience as JSON, by process; an empty object is a success.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from dagrpc import Client

_OWN_CLIENT = "fire-and-forget"
"""A client that the scheduler always has."""


def left_over(client: Client, n_workers: int) -> dict[str, Any]:
    """Return the state that should be gone: tasks, clients, missing workers."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "dump.yaml"
        client.dump_cluster_state(str(path.with_suffix("")), format="yaml", exclude=["log", "transition_log"])
        dump = yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    scheduler, workers = dump["scheduler"], dump["workers"]
    left: dict[str, Any] = {}
    if scheduler["tasks"]:
        left["tasks of the scheduler"] = {key: task.get("state") for key, task in scheduler["tasks"].items()}
    strangers = set(scheduler["clients"]) - {client.id, _OWN_CLIENT}
    if strangers:
        left["clients of the scheduler"] = {name: scheduler["clients"][name] for name in strangers}
    if len(scheduler["workers"]) != n_workers:
        left["workers of the scheduler"] = {address: w["name"] for address, w in scheduler["workers"].items()}
    for address, worker in workers.items():
        if isinstance(worker, str):
            left[f"worker {address}"] = worker
        elif worker["data"] or worker["tasks"] or worker["executing"]:
            left[f"worker {address}"] = {name: worker[name] for name in ("data", "tasks", "executing")}
    return left


def main() -> None:
    """Run as the command line says: address, number of workers, seconds to wait."""
    address, n_workers, patience = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    deadline = time.monotonic() + patience
    with Client(address, timeout=patience) as client:
        while True:
            left = left_over(client, n_workers)
            if not left or time.monotonic() > deadline:
                break
            time.sleep(0.5)
    print(json.dumps(left, default=str))


if __name__ == "__main__":
    main()
