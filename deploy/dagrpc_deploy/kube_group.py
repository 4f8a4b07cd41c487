"""The state that the servers of one `KubeCluster` share: the API server, the list of their pods, and their owner."""

from __future__ import annotations

import asyncio
from typing import Any

from dagrpc_deploy.kube_api import KubeApi
from dagrpc_deploy.kube_manifests import CLUSTER_LABEL

_PAUSE = 1.0


class KubeGroup:
    """The pods of one cluster. On dagrpc's event loop only."""

    def __init__(self, cluster: str, api: KubeApi) -> None:
        self.cluster = cluster
        self.api = api
        self.owner: dict[str, Any] | None = None
        """The object with which Kubernetes deletes all others."""
        self._turn: asyncio.Task[list[dict[str, Any]]] | None = None

    async def pods(self) -> list[dict[str, Any]]:
        """Return the cluster's pods a moment later. All who wait share one request; nobody, none."""
        if self._turn is None or self._turn.done():
            self._turn = asyncio.get_running_loop().create_task(self._list())
        return await asyncio.shield(self._turn)

    async def _list(self) -> list[dict[str, Any]]:
        await asyncio.sleep(_PAUSE)
        return await self.api.pods(f"{CLUSTER_LABEL}={self.cluster}")
