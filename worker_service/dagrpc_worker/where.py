"""Where the scheduler is and where to listen, of what servers are given."""

from __future__ import annotations

from typing import Any

from dagrpc import config
from dagrpc._util.addresses import interface_ip, is_loopback, join_address, local_ip, parse_address, split_address


def find_scheduler(host: Any, port: int | None, scheduler_file: str | None) -> str:
    """Return the scheduler's address of what a server was given; empty if a file names it.

    Raises
    ------
    ValueError
        If nothing says where it is.
    """
    if host is None and scheduler_file:
        return ""
    if host is None:
        host = config.look_up("scheduler-address")
    host = getattr(host, "address", None) or getattr(host, "scheduler_address", host)
    if not host:
        raise ValueError(
            "Where is the scheduler? Give its address, scheduler_file=, or the setting dask.config 'scheduler-address'"
        )
    if port is None:
        return parse_address(str(host))
    return parse_address(join_address(split_address(str(host).rpartition("://")[2])[0], port))


def listen_host(host: str | None, interface: str | None, scheduler: str) -> str:
    """Return where to listen: as told, else on the loopback address if the scheduler is there, else on the way to it.

    Raises
    ------
    ValueError
        If both a host and an interface are given, or there is no such interface.
    """
    if host and interface:
        raise ValueError("host and interface both say where to listen; give one of them")
    if interface:
        return interface_ip(interface)
    if host:
        return host.rpartition("://")[2]
    if not scheduler or is_loopback(scheduler):
        return "127.0.0.1"
    return local_ip(split_address(scheduler)[0])
