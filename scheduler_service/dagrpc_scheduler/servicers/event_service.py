"""EventService: what was logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagrpc.v1 import event_service_pb2 as pb

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService


class EventServicer:
    """Each method is the rpc of its name.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service

    async def GetEvents(self, request: pb.GetEventsRequest) -> pb.GetEventsResponse:
        return self._service.events.histories(request.topics)
