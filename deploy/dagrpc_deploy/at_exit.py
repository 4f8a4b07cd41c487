"""Clusters that are open when the program ends are closed then."""

from __future__ import annotations

import contextlib
import os
import weakref
from typing import TYPE_CHECKING

from dagrpc._client.connection import close_all
from dagrpc._process.at_exit import before_threads_end

if TYPE_CHECKING:
    from dagrpc_deploy.cluster import Cluster

_OPEN: weakref.WeakSet[Cluster] = weakref.WeakSet()


def track(cluster: Cluster) -> None:
    """Have a cluster closed when the program ends."""
    _OPEN.add(cluster)


def untrack(cluster: Cluster) -> None:
    """Forget a cluster."""
    _OPEN.discard(cluster)


def _close_all() -> None:
    # Clients first: one whose cluster is gone would complain.
    close_all()
    for cluster in list(_OPEN):
        # Whatever goes wrong now, the services notice that this process is gone.
        with contextlib.suppress(Exception):
            cluster._loop.run(cluster._end(2.0), 5.0)


before_threads_end(_close_all)
# A forked process has no part in its parent's clusters, nor the loop on which they could be closed.
os.register_at_fork(after_in_child=_OPEN.clear)
