"""What security a client has, of what it is given, its cluster has, and the configuration says."""

from __future__ import annotations

from typing import Any

from dagrpc import config
from dagrpc._process.server_classes import load_class
from dagrpc.security import Security


def security_of(given: Any, address: Any, cluster: Any) -> Security:
    """Return the security of a client.

    Parameters
    ----------
    given : Security, mapping, bool or None
        As the user gave it. True: certificates for a local cluster that the client is to start.
    address : str or None
        Where it is to connect to.
    cluster : object or None
        The cluster that it was given.

    Raises
    ------
    TypeError
        If it is something else, or what the setting ``client.security-loader`` names is no function.
    """
    if given is True:
        if address is None and cluster is None:
            return Security.temporary()
        raise TypeError(
            "security=True makes certificates for a local cluster that the client starts; for a cluster that "
            "is there already, give the Security that it has"
        )
    if given is None and cluster is not None:
        given = getattr(cluster, "security", None)
    if given is None or given is False:
        return _loaded(address) or Security()
    return Security.of(given)


def _loaded(address: Any) -> Security | None:
    """Return what the function returns that the configuration names for this."""
    name = config.get("client.security-loader")
    if not name:
        return None
    loader = load_class(name)
    if not callable(loader):
        raise TypeError(f"client.security-loader names {name!r}, which cannot be called")
    found = loader({"address": address})
    if found is not None and not isinstance(found, Security):
        raise TypeError(f"{name}, of client.security-loader, returned {type(found).__name__}, which is no Security")
    return found
