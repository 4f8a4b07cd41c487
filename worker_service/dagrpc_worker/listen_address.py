"""Derives the scheduler's address, and the address to listen on, from the arguments of `Worker` and `Nanny`."""

from __future__ import annotations

from typing import Any

from dagrpc import config
from dagrpc._common.addresses import (
    interface_ip,
    is_loopback,
    join_address,
    listening_place,
    local_ip,
    parse_address,
    split_address,
)
from dagrpc_worker.ports import parse_ports


def find_scheduler(host: Any, port: int | None, scheduler_file: str | None) -> str:
    """Return the scheduler's address; empty if a scheduler file names it.

    Raises
    ------
    ValueError
        If neither the arguments nor the settings name the scheduler.
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


def listen_on(
    host: str | None, interface: str | None, port: int | str | None, scheduler: str
) -> tuple[str, tuple[int, int]]:
    """Return the host to listen on, and the first and the last port to try; 0: any port.

    The default host is the loopback address if the scheduler is there, otherwise the local address on the route to it.

    Raises
    ------
    ValueError
        If both a host and an interface are given, there is no such interface, or the port is named twice.
    """
    if host and interface:
        raise ValueError("host and interface both say where to listen; give one of them")
    ports = None if port is None else parse_ports(str(port))
    if host:
        host, named = listening_place(host)
        if named is not None and ports not in (None, (0, 0)):
            raise ValueError(f"The port is named twice: as {port}, and with the host, as {named}")
        return host, (named, named) if named is not None else ports or (0, 0)
    if interface:
        host = interface_ip(interface)
    elif not scheduler or is_loopback(scheduler):
        host = "127.0.0.1"
    else:
        host = local_ip(split_address(scheduler)[0])
    return host, ports or (0, 0)
