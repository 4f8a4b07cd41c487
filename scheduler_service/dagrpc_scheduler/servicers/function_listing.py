"""Lists the functions that workers have, with what the workers say about them."""

from __future__ import annotations

import asyncio
from collections import Counter

from dagrpc._rpc.channels import ChannelPool
from dagrpc._transfer.transfers import WORKER_SERVICE
from dagrpc.exceptions import DagrpcError
from dagrpc.v1 import task_service_pb2, worker_service_pb2
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers

_PAGE, _LONGEST_PAGE = 100, 1_000
_PATIENCE = 5.0
"""Seconds that a worker has to describe functions; without an answer, they are listed by name."""


class FunctionListing:
    """The functions of all connected workers."""

    def __init__(self, peers: ConnectedPeers, control_channels: ChannelPool) -> None:
        self._peers = peers
        self._channels = control_channels

    async def page(self, prefix: str, size: int, token: str) -> task_service_pb2.ListFunctionsResponse:
        """Return the functions that begin with `prefix` and come after the name `token`."""
        counts: Counter[str] = Counter()
        holders: dict[str, str] = {}
        patterns: set[str] = set()
        for address, worker in self._peers.workers.items():
            patterns.update(worker.hello.functions.patterns)
            for name in worker.hello.functions.names:
                if name.startswith(prefix) and name > token:
                    counts[name] += 1
                    holders.setdefault(name, address)
        size = min(size or _PAGE, _LONGEST_PAGE)
        names = sorted(counts)
        listed = names[:size]
        by_worker: dict[str, list[str]] = {}
        for name in listed:
            by_worker.setdefault(holders[name], []).append(name)
        described: dict[str, task_service_pb2.Function] = {}
        for functions in await asyncio.gather(*(self._describe(*asked) for asked in by_worker.items())):
            described.update((function.name, function) for function in functions)
        response = task_service_pb2.ListFunctionsResponse(patterns=sorted(patterns) if not token else ())
        for name in listed:
            function = response.functions.add()
            function.CopyFrom(described.get(name) or task_service_pb2.Function(name=name))
            function.workers = counts[name]
        if len(names) > size:
            response.next_page_token = listed[-1]
        return response

    async def _describe(self, worker: str, names: list[str]) -> list[task_service_pb2.Function]:
        client = self._channels.client(worker, WORKER_SERVICE, f"worker {worker}")
        request = worker_service_pb2.DescribeFunctionsRequest(names=names)
        try:
            answer = await client.call(
                "DescribeFunctions", request, worker_service_pb2.DescribeFunctionsResponse, _PATIENCE
            )
        except (DagrpcError, OSError, TimeoutError):
            # Workers in other languages need not describe their functions.
            return []
        return list(answer.functions)
