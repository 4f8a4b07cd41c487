"""The gRPC server of every service process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from time import perf_counter
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from dagrpc._auth.access import Access
from dagrpc._auth.credentials import Credentials
from dagrpc._common.addresses import join_address
from dagrpc._memory import malloc
from dagrpc._rpc import error_status, grpc_options
from dagrpc._rpc.admission_limits import CallLimits
from dagrpc._rpc.blocked_methods import Blocked
from dagrpc._rpc.call_statistics import CallStatistics, status_number
from dagrpc._rpc.channels import identity, serialize
from dagrpc.exceptions import DagrpcError, InvalidRequestError

logger = logging.getLogger("dagrpc.io")

_OK, _CANCELLED = status_number(grpc.StatusCode.OK), status_number(grpc.StatusCode.CANCELLED)
_INVALID, _INTERNAL = status_number(grpc.StatusCode.INVALID_ARGUMENT), status_number(grpc.StatusCode.INTERNAL)
_REFLECTION = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")


class Server:
    """A gRPC server with health checks and reflection. Errors of handlers reach callers as statuses only.

    A handler is a method named after its rpc. A unary handler takes the request and returns the response; a streaming
    handler takes ``(request or None, context)`` and uses ``context.read()`` and ``context.write(bytes)``.

    Parameters
    ----------
    raw_requests, raw_responses : collection of str
        Names of the methods whose requests or responses are bytes, not messages.
    blocked_by : str
        The setting that lists methods to refuse.
    blocked : collection of str, optional
        Methods to refuse, instead of the methods that the setting lists.
    credentials : Credentials, optional
        Certificates for TLS, and tokens. With them, every caller needs TLS or a token.
    """

    def __init__(
        self,
        raw_requests: Collection[str] = (),
        raw_responses: Collection[str] = (),
        blocked_by: str = "",
        credentials: Credentials | None = None,
        blocked: Collection[str] | None = None,
    ) -> None:
        self._credentials = credentials
        malloc.tune()
        self._server = grpc.aio.server(options=grpc_options.server_options())
        self._limits = CallLimits()
        self.statistics = CallStatistics()
        """Counts of the calls that have ended."""
        self.access = Access(credentials)
        """Decides which callers are let in."""
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = [health.SERVICE_NAME, *_REFLECTION]
        self._raw_requests = raw_requests
        self._raw_responses = raw_responses
        self._blocked = Blocked(blocked_by, blocked)
        self._calls: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self.port = 0

    def add_service(self, service: ServiceDescriptor, servicer: object) -> None:
        """Serve a service with a servicer that has a method for each rpc."""
        handlers = {
            method.name: self._handler(method, getattr(servicer, method.name), f"{service.name}.{method.name}")
            for method in service.methods
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
        self._names.append(service.full_name)

    def _handler(self, method: MethodDescriptor, function: Callable[..., Any], name: str) -> grpc.RpcMethodHandler:
        function = self._blocked.guard(method.name, function)
        streams_in, streams_out = method.client_streaming, method.server_streaming
        kind = f"{'stream' if streams_in else 'unary'}_{'stream' if streams_out else 'unary'}_rpc_method_handler"
        request_type = GetMessageClass(method.input_type)
        raw_in = method.name in self._raw_requests
        raw_out = streams_out or method.name in self._raw_responses
        if not (streams_in or streams_out):
            function = _without_context(function)
        guarded = self._guard(function, name, timed=not (streams_in or streams_out))
        handler: grpc.RpcMethodHandler = getattr(grpc, kind)(
            guarded,
            request_deserializer=identity if raw_in else _reader(request_type, streams_in),
            response_serializer=identity if raw_out else serialize,
        )
        return handler

    def _guard(
        self, function: Callable[..., Awaitable[Any]], name: str, by_role: bool = True, timed: bool = False
    ) -> Callable[..., Awaitable[Any]]:
        """Return a handler that turns all exceptions into statuses.

        gRPC would show the text of an exception to the caller, and would not answer at all after a CancelledError.
        """
        access, limits = None if self.access.open else self.access, self._limits
        statistics = self.statistics

        async def handler(request: Any, context: Any) -> Any:
            task = asyncio.current_task()
            assert task is not None
            self._calls.add(task)
            connection, counted = context.peer(), False
            begun, outcome = perf_counter(), _OK
            try:
                if access is not None:
                    access.check(name, context, by_role)
                limits.begin(connection, name)
                counted = True
                if isinstance(request, DecodeError):
                    raise request
                return await function(request, context)
            except DagrpcError as error:
                outcome = _code(error)
                await _abort(context, error)
            except DecodeError:
                outcome = _INVALID
                await _abort(context, InvalidRequestError(f"{name} was called with bytes that are not its request"))
            except grpc.aio.AbortError:
                outcome = status_number(context.code())
                raise
            except asyncio.CancelledError:
                outcome = _CANCELLED
                if context.done() or context.cancelled():
                    raise
                await context.abort(grpc.StatusCode.CANCELLED, f"{name} was cancelled by the service")
            except grpc.aio.BaseError:
                # The peer is gone and cannot be told.
                outcome = _CANCELLED
                logger.debug("%s: the peer is gone", name, exc_info=True)
            except Exception as error:
                outcome = _INTERNAL
                await _abort(context, error_status.internal_error(error, name))
            finally:
                self._calls.discard(task)
                statistics.ended(name, outcome, perf_counter() - begun if timed else None)
                if counted:
                    limits.end(connection)

        return handler

    async def start(self, host: str, port: int = 0) -> int:
        """Bind and serve. Returns the port.

        Raises
        ------
        OSError
            If the server cannot listen on the port, which the message names.
        """
        self._blocked.warn_of_unknown()
        self._add_reflection()
        if port and not await _can_listen(host, port):
            # Checked here because gRPC would write to stderr.
            raise OSError(f"Cannot listen on {join_address(host, port)}: the port is taken or the host is not here")
        try:
            self.port = self._bind(join_address(host, port))
        except RuntimeError:
            self.port = 0
        if not self.port:
            raise OSError(f"Cannot listen on {join_address(host, port)}: the port is taken or the host is not here")
        await self._server.start()
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return self.port

    def _add_reflection(self) -> None:
        """Serve reflection to callers that are let in. Health checks are for all callers: a probe has no token."""

        async def guarded(_: Any, context: Any) -> None:
            # Imported on demand: few processes are ever asked.
            from dagrpc._rpc.reflection import answer

            async for request in read_all(context):
                await context.write(answer(request, self._names))

        handler = grpc.stream_stream_rpc_method_handler(
            self._guard(guarded, "ServerReflection.ServerReflectionInfo", by_role=False),
            request_deserializer=_reflection_request,
            response_serializer=serialize,
        )
        for name in _REFLECTION:
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}),)
            )

    def _bind(self, address: str) -> int:
        if self._credentials is None or self._credentials.server is None:
            port: int = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, self._credentials.server)
        return port

    async def set_not_serving(self) -> None:
        """Answer health checks with NOT_SERVING, before the server stops."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace: float = 1.0) -> None:
        """Stop serving. Handlers may finish within `grace` seconds, and are cancelled after that."""
        if self._stopping:
            return
        self._stopping = True
        await self.set_not_serving()
        calls = [call for call in self._calls if call is not asyncio.current_task()]
        if calls:
            await asyncio.wait(calls, timeout=grace)
        await self._server.stop(0)
        pending = [call for call in calls if not call.done()]
        if pending:
            await asyncio.wait(pending, timeout=5)

    async def wait_for_termination(self) -> None:
        """Wait until the server has stopped."""
        await self._server.wait_for_termination()


async def _can_listen(host: str, port: int) -> bool:
    """Return whether a socket can be bound to the port at any address of the host."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        # gRPC may resolve names that the system does not.
        return True
    for family, kind, protocol, _, address in found:
        with contextlib.suppress(OSError), socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return True
    return not found


def _reader(request_type: type[Any], streams: bool) -> Callable[[bytes], Any]:
    """Return the function that parses requests.

    For a unary rpc it returns the error of a malformed request to the guarded handler, because gRPC would show an
    exception to the caller. For a stream the error is raised where the handler reads.
    """
    if streams:
        from_string: Callable[[bytes], Any] = request_type.FromString
        return from_string

    def read(data: bytes) -> Any:
        try:
            return request_type.FromString(data)
        except DecodeError as error:
            return error

    return read


def _reflection_request(data: bytes) -> Any:
    from grpc_reflection.v1alpha import reflection_pb2

    return reflection_pb2.ServerReflectionRequest.FromString(data)


def _without_context(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    # `inspect.signature` would slow down the start, which asks this of some forty methods.
    if function.__code__.co_argcount - hasattr(function, "__self__") == 2:
        return function

    async def call(request: Any, context: Any) -> Any:
        return await function(request)

    return call


def _code(error: DagrpcError) -> int:
    """Return the number of the status that an error becomes."""
    code: int = error_status.to_status(error).code
    return code


async def _abort(context: Any, error: DagrpcError) -> None:
    await context.abort_with_status(rpc_status.to_status(error_status.to_status(error)))


async def read_all(context: Any) -> AsyncIterator[Any]:
    """Yield the messages of a stream until its end."""
    while True:
        message = await context.read()
        if message is grpc.aio.EOF:
            return
        yield message
