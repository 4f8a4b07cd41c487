"""Clients of the scheduler's unary services, over the connection of a session."""

from __future__ import annotations

from google.protobuf.descriptor import ServiceDescriptor

from dagrpc._client.client_session import ClientSession
from dagrpc._rpc.channels import ServiceClient


def scheduler_service(session: ClientSession, descriptor: ServiceDescriptor | None = None) -> ServiceClient:
    """Return a client of one of the scheduler's services, of ``SchedulerService`` by default.

    Raises
    ------
    ClosedClientError
        If the session is closed.
    """
    session.check_open()
    assert session.scheduler is not None
    if descriptor is None:
        return session.scheduler
    return ServiceClient(session.scheduler.channel, descriptor, session.scheduler.peer)
