"""Chooses a client's Security: the argument, then the cluster's, then the configured one."""

from __future__ import annotations

from typing import Any

from dagrpc import config
from dagrpc._process.server_classes import load_class
from dagrpc.security import Security


def security_of(given: Any, address: Any, cluster: Any) -> Security:
    """Return the security of a client for an address or a cluster.

    `given` is the argument of a user: a `Security`, a mapping with its arguments, or True for temporary certificates of
    the local cluster that the client starts.

    Raises
    ------
    TypeError
        If `given` is something else, or the setting ``client.security-loader`` does not name a function.
    """
    if given is True:
        if address is None and cluster is None:
            return Security.temporary()
        raise TypeError(
            "security=True makes certificates for a local cluster that the client starts; for an existing cluster, "
            "give the Security of the cluster"
        )
    if given is None and cluster is not None:
        given = getattr(cluster, "security", None)
    if given is None or given is False:
        return _loaded(address) or Security()
    return Security.of(given)


def _loaded(address: Any) -> Security | None:
    """Return the security that the function of ``client.security-loader`` returns for an address."""
    name = config.get("client.security-loader")
    if not name:
        return None
    loader = load_class(name)
    if not callable(loader):
        raise TypeError(f"client.security-loader names {name!r}, which cannot be called")
    found = loader({"address": address})
    if found is not None and not isinstance(found, Security):
        raise TypeError(f"{name}, of client.security-loader, returned {type(found).__name__}, which is not a Security")
    return found
