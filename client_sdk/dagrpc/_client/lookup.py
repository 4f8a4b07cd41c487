"""Finds the current client, or connects one."""

from __future__ import annotations

from dagrpc._client import current
from dagrpc._client.client_core import core_of
from dagrpc._client.submission_options import NO_DEFAULT, Duration
from dagrpc._common.addresses import parse_address
from dagrpc.client import Client


def default_client(c: Client | None = None) -> Client:
    """Return the given client, by default the current client.

    Parameters
    ----------
    c : Client, optional
        A client.

    Raises
    ------
    ValueError
        If there is no current client.

    Examples
    --------
    >>> default_client() is client
    True
    """
    if c is not None:
        return c
    client: Client = Client.current()
    return client


def get_client(address: str | None = None, timeout: Duration = None, resolve_address: bool = True) -> Client:
    """Return the current client, or a client that is connected to an address.

    Parameters
    ----------
    address : str, optional
        Address of a scheduler. Without an address any current client is returned.
    timeout : number or str, optional
        How long to try to reach the scheduler.
    resolve_address : bool
        Accepted for compatibility.

    Raises
    ------
    ValueError
        If there is no current client and no address.

    Examples
    --------
    >>> def total(n):
    ...     client = get_client()  # the worker's client
    ...     return sum(client.gather(client.map(inc, range(n))))
    >>> client.submit(total, 3).result()
    6
    """
    client = current.current_client()
    if isinstance(client, Client) and (address is None or core_of(client).session.address == parse_address(address)):
        return client
    if address is None:
        raise ValueError("There is no client: start one, or give the scheduler's address")
    return Client(address, timeout=NO_DEFAULT if timeout is None else timeout)
