"""Closes the clusters that are open when the program ends."""

from __future__ import annotations

import contextlib
import os
import weakref
from typing import TYPE_CHECKING

from dagrpc._client.lifecycle import close_all
from dagrpc._process.at_exit import before_threads_end

if TYPE_CHECKING:
    from dagrpc_deploy.cluster import Cluster

_OPEN: weakref.WeakSet[Cluster] = weakref.WeakSet()


def track(cluster: Cluster) -> None:
    """Close a cluster when the program ends."""
    _OPEN.add(cluster)


def untrack(cluster: Cluster) -> None:
    """Leave a cluster alone when the program ends."""
    _OPEN.discard(cluster)


def _close_all() -> None:
    # Clients first: a client whose cluster is gone would log warnings.
    close_all()
    for cluster in list(_OPEN):
        # On an error, the services still notice that this process is gone.
        with contextlib.suppress(Exception):
            cluster._loop.run(cluster._lifecycle.end(2.0), 5.0)


before_threads_end(_close_all)
# A forked process neither owns its parent's clusters nor has the loop to close them on.
os.register_at_fork(after_in_child=_OPEN.clear)
