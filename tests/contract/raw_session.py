"""A client's session as a program in another language holds it: the generated messages and gRPC, nothing of the SDK."""

from __future__ import annotations

import json
import queue
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from dagrpc.v1 import client_session_pb2 as pb
from dagrpc.v1 import common_pb2, graph_pb2
from dagrpc.v1 import scheduler_service_pb2 as scheduler_pb

WAIT = 15
VERSIONS = common_pb2.Versions(protocol_min=1, protocol_max=1)


class RawSession:
    """A session on one stream, and unary calls to the same scheduler."""

    def __init__(self, address: str, token: str = "", first: Any = (), **hello: Any) -> None:
        self.channel = grpc.insecure_channel(address.rpartition("://")[2])
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._requests: queue.Queue[Any] = queue.Queue()
        self.client_id = f"raw-{uuid.uuid4().hex}"
        hello = {"client_id": self.client_id, "versions": VERSIONS, **hello}
        self._requests.put(pb.UpdateGraphRequest(hello=pb.ClientHello(**hello), commands=first))
        self.call = self.channel.stream_stream(
            "/dagrpc.v1.SchedulerService/UpdateGraph",
            request_serializer=pb.UpdateGraphRequest.SerializeToString,
            response_deserializer=pb.UpdateGraphResponse.FromString,
        )(iter(self._requests.get, None), timeout=WAIT, metadata=self._metadata)
        self.welcome = next(self.call).welcome
        self._seen: list[pb.ClientEvent] = []

    def __enter__(self) -> RawSession:
        return self

    def __exit__(self, *_: object) -> None:
        self._requests.put(None)
        self.call.cancel()
        self.channel.close()

    def send(self, *commands: pb.ClientCommand) -> None:
        """Send commands in one message."""
        self._requests.put(pb.UpdateGraphRequest(commands=commands))

    def half_close(self) -> None:
        """End the client's side of the stream."""
        self._requests.put(None)

    def _events(self) -> Iterator[pb.ClientEvent]:
        for message in self.call:
            yield from message.events

    def wait(self, kind: str, matches: Callable[[Any], bool] = lambda event: True) -> Any:
        """Return the next event of a kind that matches. Events before it are dropped."""
        for event in self._events():
            if event.WhichOneof("event") == kind and matches(getattr(event, kind)):
                return getattr(event, kind)
        raise AssertionError(f"the session ended before {kind}")

    def ask(self, method: str, request: Any, response_type: Any) -> Any:
        """Call a unary rpc of the scheduler."""
        return self.channel.unary_unary(
            f"/dagrpc.v1.SchedulerService/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=response_type.FromString,
        )(request, timeout=WAIT, metadata=self._metadata)

    def gather(self, key: str, *families: str) -> tuple[Any, bytes]:
        """Return the manifest's entry and the bytes of a result."""
        parts = self.channel.unary_stream(
            "/dagrpc.v1.SchedulerService/Gather",
            request_serializer=scheduler_pb.GatherRequest.SerializeToString,
            response_deserializer=scheduler_pb.GatherResponse.FromString,
        )(scheduler_pb.GatherRequest(keys=[key], families=families), timeout=WAIT, metadata=self._metadata)
        manifest, data = next(parts).manifest, b""
        for part in parts:
            data += part.chunk.data
        return manifest.entries[0], manifest.data + data


def json_argument(value: Any) -> graph_pb2.Argument:
    """Return an argument encoded as JSON."""
    return graph_pb2.Argument(value=common_pb2.Payload(encoding="json", data=json.dumps(value).encode()))


def call_command(key: str, entrypoint: str, *arguments: Any, dependencies: Any = ()) -> pb.ClientCommand:
    """Return the command that submits one call and wants its result."""
    call = graph_pb2.Call(
        entrypoint=entrypoint,
        arguments=[each if isinstance(each, graph_pb2.Argument) else json_argument(each) for each in arguments],
    )
    task = graph_pb2.TaskSpec(key=key, call=call, wanted=True, dependencies=dependencies)
    return pb.ClientCommand(graph=graph_pb2.GraphPart(graph_id=uuid.uuid4().hex, last=True, tasks=[task]))
