"""Names of distributed's own messaging, which dagrpc does not have: gRPC takes its place."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["Server", "connect", "rpc"]

_INSTEAD = (
    "there is none of distributed's own messaging in dagrpc: its services are gRPC services, described in "
    "protos/dagrpc/v1. Call them with any gRPC client, or use Client, Client.run and Client.run_on_scheduler"
)


def rpc(*args: Any, **kwargs: Any) -> NoReturn:
    """Say what takes the place of calls by operation.

    Raises
    ------
    NotImplementedError
        Always.

    Examples
    --------
    >>> rpc("127.0.0.1:8786")
    Traceback (most recent call last):
        ...
    NotImplementedError: ...
    """
    raise NotImplementedError(f"rpc: {_INSTEAD}")


async def connect(*args: Any, **kwargs: Any) -> NoReturn:
    """Say what takes the place of connections.

    Raises
    ------
    NotImplementedError
        Always.

    Examples
    --------
    >>> await connect("127.0.0.1:8786")
    Traceback (most recent call last):
        ...
    NotImplementedError: ...
    """
    raise NotImplementedError(f"connect: {_INSTEAD}")


class Server:
    """Says what takes the place of servers of one's own.

    Raises
    ------
    NotImplementedError
        Always.

    Examples
    --------
    >>> Server()
    Traceback (most recent call last):
        ...
    NotImplementedError: ...
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"Server: {_INSTEAD}")
