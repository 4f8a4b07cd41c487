"""EventService: the event log."""

from __future__ import annotations

from dagrpc.v1 import event_service_pb2 as pb
from dagrpc_scheduler.shell.coordination.topic_shell import EventLog


class EventServicer:
    """Reads the event log; each method is the rpc of its name."""

    def __init__(self, event_log: EventLog) -> None:
        self._event_log = event_log

    async def GetEvents(self, request: pb.GetEventsRequest) -> pb.GetEventsResponse:
        return self._event_log.histories(request.topics)
