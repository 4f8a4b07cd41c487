"""Functions that parse and join addresses, and the error of a lost connection.

Connections themselves are gRPC's; ``protos/`` defines their messages.
"""

from __future__ import annotations

from dagrpc.comm.addressing import (
    address_from_user_args,
    get_address_host,
    get_address_host_port,
    get_local_address_for,
    normalize_address,
    parse_address,
    parse_host_port,
    resolve_address,
    unparse_address,
    unparse_host_port,
    uri_from_host_port,
)
from dagrpc.exceptions import CommClosedError

__all__ = [
    "CommClosedError",
    "address_from_user_args",
    "get_address_host",
    "get_address_host_port",
    "get_local_address_for",
    "normalize_address",
    "parse_address",
    "parse_host_port",
    "resolve_address",
    "unparse_address",
    "unparse_host_port",
    "uri_from_host_port",
]
