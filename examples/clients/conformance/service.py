"""TaskService from Python without the SDK: generated messages, retries by ErrorInfo, and typed errors."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from dagrpc.v1 import data_pb2
from dagrpc.v1 import task_service_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["TaskService"]
ACCEPTED = ["json", "raw"]
INLINE_LIMIT = 1 << 20
SETTLED = (
    pb.LEASED_STATE_DONE,
    pb.LEASED_STATE_FAILED,
    pb.LEASED_STATE_CANCELLED,
    pb.LEASED_STATE_UNKNOWN,
)
_OPTIONS = [
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),
]


class NotEncodableError(Exception):
    """A value that is neither JSON nor bytes."""


@dataclass
class RefusedError(Exception):
    """A request that the cluster refused."""

    code: str
    reason: str = ""
    retry_after: float = 0.0

    @property
    def may_help(self) -> bool:
        """Tell whether the same request may succeed later."""
        return self.code == "UNAVAILABLE" or (self.code == "RESOURCE_EXHAUSTED" and self.retry_after > 0)


def refusal(error: grpc.RpcError) -> RefusedError:
    """Return what a status says."""
    found = RefusedError(error.code().name)
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info) and info.domain == "dagrpc":
            found.reason = info.reason
        elif detail.Unpack(retry):
            found.retry_after = retry.retry_delay.ToMilliseconds() / 1000
    return found


class Tasks:
    """The calls of a lease, each bounded by a deadline."""

    def __init__(self, channel: grpc.Channel, token: str, lease: str) -> None:
        self.lease = lease
        self._metadata = [("authorization", f"Bearer {token}")]
        self._rpcs: dict[str, Callable[..., Any]] = {}
        for method in SERVICE.methods:
            make = channel.unary_stream if method.server_streaming else channel.unary_unary
            self._rpcs[method.name] = make(
                f"/{SERVICE.full_name}/{method.name}",
                request_serializer=GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )

    def submit(self, calls: list[pb.NamedCall], deadline: float, wait: bool = True) -> list[pb.TaskStatus]:
        """Submit calls, and wait for them."""
        request = pb.SubmitRequest(lease=self.lease, calls=calls, accept=ACCEPTED, inline_limit=INLINE_LIMIT)
        for call in request.calls:
            # With a key, the request can be repeated.
            call.key = call.key or uuid.uuid4().hex
        if wait:
            request.wait.FromMilliseconds(_wait(deadline))
        tasks = list(self.call("Submit", request, deadline).tasks)
        unsettled = wait and any(task.state not in SETTLED for task in tasks)
        return self.wait([task.key for task in tasks], deadline) if unsettled else tasks

    def wait(self, keys: list[str], deadline: float) -> list[pb.TaskStatus]:
        """Wait until all tasks are settled."""
        while True:
            request = pb.WaitRequest(lease=self.lease, keys=keys, accept=ACCEPTED, inline_limit=INLINE_LIMIT)
            request.timeout.FromMilliseconds(_wait(deadline))
            tasks = list(self.call("Wait", request, deadline).tasks)
            if all(task.state in SETTLED and task.value_outcome != data_pb2.DATA_OUTCOME_MISSING for task in tasks):
                return tasks

    def result(self, key: str, deadline: float) -> tuple[pb.TaskStatus, bytes]:
        """Stream a result; go on where it was after a broken connection."""
        request = pb.ResultRequest(key=key, accept=ACCEPTED, lease=self.lease)
        data = bytearray()

        def read(request: pb.ResultRequest, **options: Any) -> pb.TaskStatus:
            request.offset = len(data)
            stream = self._rpcs["Result"](request, **options)
            first: pb.ResultResponse = next(stream)
            for part in stream:
                data.extend(part.data)
            return first.task

        while True:
            request.timeout.FromMilliseconds(_wait(deadline))
            task = self._retried(read, request, deadline)
            if task.value_outcome != data_pb2.DATA_OUTCOME_MISSING:
                return task, bytes(data)

    def watch(self, deadline: float) -> Iterator[pb.TaskStatus]:
        """Yield the state of each task whenever it changes."""
        request = pb.WatchRequest(lease=self.lease, accept=ACCEPTED, inline_limit=INLINE_LIMIT)
        while True:
            stream = self._retried(self._rpcs["Watch"], request, deadline)
            for change in stream:
                request.cursor = change.task.cursor
                yield change.task

    def call(self, method: str, request: Any, deadline: float) -> Any:
        """Make a unary call, again and again while that may help."""
        return self._retried(self._rpcs[method], request, deadline)

    def _retried(self, rpc: Callable[..., Any], request: Any, deadline: float) -> Any:
        pause = 0.05
        while True:
            try:
                return rpc(request, timeout=max(deadline - time.monotonic(), 0.001), metadata=self._metadata)
            except grpc.RpcError as error:
                found = refusal(error)
                if not found.may_help:
                    raise found from None
                time.sleep(max(pause, found.retry_after) * (1 + random.random()))
                pause = min(2 * pause, 5)


def _wait(deadline: float) -> int:
    return max(int(min(deadline - time.monotonic(), 50) * 1000), 1)


def open_channel(address: str, credentials: grpc.ChannelCredentials, server_name: str) -> grpc.Channel:
    """Connect to a scheduler."""
    return grpc.secure_channel(address, credentials, [*_OPTIONS, ("grpc.ssl_target_name_override", server_name)])


def add_argument(argument: Any, value: Any) -> None:
    """Encode a value as an argument."""
    if isinstance(value, bytes):
        argument.value.encoding, argument.value.data = "raw", value
        return
    try:
        argument.value.data = json.dumps(value, allow_nan=False).encode()
    except ValueError as error:
        raise NotEncodableError(str(error)) from None
    argument.value.encoding = "json"
