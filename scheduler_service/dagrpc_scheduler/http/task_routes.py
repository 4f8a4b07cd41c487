"""``/v1/*``: the TaskService as JSON over HTTP, for programs without gRPC.

Requests and answers are the messages of the contract in protobuf's JSON mapping. Since that has bytes as base64, JSON
values may be given and are returned as they are: ``{"json": VALUE}`` is an argument, and ``"json"`` a result's value.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from google.protobuf import json_format
from google.protobuf.message import Message

from dagrpc._http.application import json_response
from dagrpc._rpc.error_status import CODES
from dagrpc.exceptions import DagrpcError, InvalidRequestError
from dagrpc.v1 import task_service_pb2 as pb
from dagrpc_scheduler.servicers.task_service import TaskServicer

_STATUSES = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "FAILED_PRECONDITION": 412,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
}
_CONTENT_TYPES = {"json": "application/json", "arrow": "application/vnd.apache.arrow.stream"}


class TaskRoutes:
    """Answers the requests of programs without gRPC."""

    def __init__(self, tasks: TaskServicer) -> None:
        self._tasks = tasks

    def routes(self) -> list[web.RouteDef]:
        """Return the paths and their handlers."""
        tasks = self._tasks
        return [
            web.post("/v1/functions:list", _handler(pb.ListFunctionsRequest, tasks.ListFunctions)),
            web.post("/v1/tasks:submit", self.submit),
            web.post("/v1/tasks:wait", _handler(pb.WaitRequest, tasks.Wait)),
            web.post("/v1/tasks:cancel", _handler(pb.CancelRequest, tasks.Cancel)),
            web.post("/v1/leases:renew", _handler(pb.RenewRequest, tasks.Renew)),
            web.post("/v1/tasks:result", self.result),
        ]

    async def submit(self, request: web.Request) -> web.Response:
        """Submit calls, in the trace that the headers name."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        return await _handler(pb.SubmitRequest, lambda message: self._tasks.submit(message, headers))(request)

    async def result(self, request: web.Request) -> web.Response:
        """Return the bytes of a result, or the state of its task if there is no result."""
        try:
            status, result = await self._tasks.read_result(await _read(request, pb.ResultRequest))
        except DagrpcError as error:
            return _refusal(error)
        if status.state != pb.LEASED_STATE_DONE or result.problem:
            return json_response(_shown(status), status=409)
        kind = _CONTENT_TYPES.get(result.encoding, "application/octet-stream")
        return web.Response(body=bytes(result.data), content_type=kind)


def _handler(
    kind: type[Message], method: Callable[[Any], Awaitable[Message]]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler that answers with what a method of the service answers."""

    async def handle(request: web.Request) -> web.Response:
        try:
            return json_response(_shown(await method(await _read(request, kind))))
        except DagrpcError as error:
            return _refusal(error)

    return handle


async def _read(request: web.Request, kind: type[Message]) -> Any:
    """Return the body of a request as a message."""
    if request.content_type != "application/json":
        # Pages of other sites may send forms and text without the browser asking, but not JSON.
        raise InvalidRequestError("send JSON, with the header 'Content-Type: application/json'")
    try:
        body = json.loads(await request.text() or "{}")
        for named in body.get("calls", ()):
            _encode_arguments(named.get("call", {}))
        return json_format.ParseDict(body, kind())
    except (json_format.ParseError, ValueError, TypeError, AttributeError) as error:
        raise InvalidRequestError(f"the body is not a {kind.DESCRIPTOR.name} as JSON: {error}") from None


def _encode_arguments(call: dict[str, Any]) -> None:
    """Replace the arguments of a call that are JSON values by payloads."""
    named = call.get("keywordArguments") or call.get("keyword_arguments") or {}
    for argument in (*call.get("arguments", ()), *named.values()):
        if "json" in argument:
            data = json.dumps(argument.pop("json")).encode()
            argument["value"] = {"encoding": "json", "data": base64.b64encode(data).decode()}


def _shown(message: Message) -> Any:
    """Return a message for JSON, with JSON values as they are."""
    shown = json_format.MessageToDict(message)
    for task in (*shown.get("tasks", ()), shown) if isinstance(shown.get("tasks", ()), list) else (shown,):
        value = task.get("value")
        if value is not None and value.get("encoding") == "json" and "data" in value:
            value["json"] = json.loads(base64.b64decode(value.pop("data")))
    return shown


def _refusal(error: DagrpcError) -> web.Response:
    """Return the answer that stands for an error, with the reasons that a gRPC status has."""
    code = CODES[type(error)].name
    headers = {"Retry-After": "1"} if code in ("RESOURCE_EXHAUSTED", "UNAVAILABLE") else {}
    body = {"error": {"status": code, "reason": error.reason, "message": str(error)}}
    response = json_response(body, status=_STATUSES.get(code, 500))
    response.headers.update(headers)
    return response
