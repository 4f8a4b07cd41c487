"""Names of distributed's own messaging, in place of which dagrpc has gRPC."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["Server", "connect", "rpc"]

_INSTEAD = (
    "there is none of distributed's own messaging in dagrpc: its services are gRPC services, described in "
    "protos/dagrpc/v1. Call them with any gRPC client, or use Client, Client.run and Client.run_on_scheduler"
)


def rpc(*args: Any, **kwargs: Any) -> NoReturn:
    """Raise NotImplementedError with the replacement of calls by operation.

    Examples
    --------
    >>> rpc("127.0.0.1:8786")
    Traceback (most recent call last):
        ...
    NotImplementedError: ...
    """
    raise NotImplementedError(f"rpc: {_INSTEAD}")


async def connect(*args: Any, **kwargs: Any) -> NoReturn:
    """Raise NotImplementedError with the replacement of connections.

    Examples
    --------
    >>> await connect("127.0.0.1:8786")
    Traceback (most recent call last):
        ...
    NotImplementedError: ...
    """
    raise NotImplementedError(f"connect: {_INSTEAD}")


class Server:
    """Raises NotImplementedError with the replacement of custom servers.

    Examples
    --------
    >>> Server()
    Traceback (most recent call last):
        ...
    NotImplementedError: ...
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"Server: {_INSTEAD}")
