"""Measures the speed of the workers' disks, memory and network. The ``measure`` functions run on workers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from dask.utils import parse_bytes

from dagrpc._client.client_core import ClientCore
from dagrpc._client.scatter import scatter
from dagrpc._client.verbs.run import call_on_workers, values_by_worker
from dagrpc._client.waiting import Operation, RunOnLoop

_DISK = ("1 kiB", "100 kiB", "1 MiB", "10 MiB", "100 MiB")
_MEMORY = ("2 kiB", "10 kiB", "100 kiB", "1 MiB", "10 MiB")
_NETWORK = ("1 kiB", "10 kiB", "100 kiB", "1 MiB", "10 MiB", "50 MiB")
_SECONDS = 0.2
"""Seconds for which each size is measured at least."""
_PAIRS = 4
"""Pairs of workers between which the network is measured."""

Speeds = dict[str, float]
"""Bytes per second by size."""


def measure_disk(dask_worker: Any = None) -> Speeds:
    """Return the speeds of writing files of some sizes to a worker's local directory."""
    directory = os.path.join(dask_worker.local_directory, f"benchmark-{time.monotonic_ns()}")
    os.makedirs(directory)
    path = os.path.join(directory, "data")
    try:
        return {size: _repeat(size, lambda data: _write(path, data)) for size in _DISK}
    finally:
        if os.path.exists(path):
            os.remove(path)
        os.rmdir(directory)


def _write(path: str, data: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(data)
        os.fsync(file.fileno())


def measure_memory() -> Speeds:
    """Return the speeds of copying memory in pieces of some sizes."""
    return {size: _repeat(size, bytearray) for size in _MEMORY}


def _repeat(size: str, act: Any) -> float:
    nbytes = parse_bytes(size)
    data = os.urandom(nbytes)
    start, total = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < _SECONDS or not total:
        act(data)
        total += nbytes
    return total / elapsed if elapsed else 0.0


async def measure_network(keys: Mapping[str, str], holder: str, dask_worker: Any = None) -> Speeds:
    """Return the speeds of fetching results of some sizes from another worker."""
    from dagrpc._rpc import grpc_options
    from dagrpc._rpc.channels import ChannelPool
    from dagrpc._transfer import transfers
    from dagrpc.v1 import worker_service_pb2

    pool = ChannelPool(grpc_options.DATA_CHANNEL, credentials=dask_worker.credentials)
    speeds = {}
    try:
        client = pool.client(holder, transfers.WORKER_SERVICE)
        for size, key in keys.items():
            request = worker_service_pb2.GetDataRequest(keys=[key], requester=dask_worker.address)
            start, count = time.perf_counter(), 0
            while (elapsed := time.perf_counter() - start) < _SECONDS or not count:
                await transfers.download(client, "GetData", request)
                count += 1
            speeds[size] = count * parse_bytes(size) / elapsed
    finally:
        await pool.close()
    return speeds


def benchmark(core: ClientCore) -> Operation[dict[str, Speeds]]:
    """Measure on all workers."""
    core.check_open()
    disk = yield from _on_workers(core, measure_disk)
    memory = yield from _on_workers(core, measure_memory)
    workers = list(disk)
    pairs = list(pairwise(workers))[:_PAIRS]
    network: list[Speeds] = []
    for holder, reader in pairs:
        data = [os.urandom(parse_bytes(size)) for size in _NETWORK]
        futures = yield from scatter(core, data, [holder], False, None, False, core.timeout)
        keys = {size: future.bound_state().wire_key for size, future in zip(_NETWORK, futures, strict=True)}
        found = yield from _on_workers(core, measure_network, keys, holder, workers=[reader])
        network += found.values()
    return {"disk": _mean(disk.values()), "memory": _mean(memory.values()), "network": _mean(network)}


def _on_workers(core: ClientCore, function: Any, *args: Any, workers: Any = None) -> Operation[dict[str, Speeds]]:
    results = yield RunOnLoop(core.loop, call_on_workers(core.session, function, args, {}, workers=workers))
    return values_by_worker(core.session, results, "raise")


def _mean(measured: Iterable[Speeds]) -> Speeds:
    measured = list(measured)
    sizes = measured[0] if measured else ()
    return {size: sum(each[size] for each in measured) / len(measured) for size in sizes}
