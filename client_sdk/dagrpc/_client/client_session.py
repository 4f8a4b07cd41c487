"""The client's session with the scheduler: sends commands in order, and applies events to the table of keys."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import grpc

from dagrpc import config
from dagrpc._auth.credentials import Credentials
from dagrpc._client.actor_calls import ActorCaller
from dagrpc._client.calling_code import CallingCode
from dagrpc._client.commands import Call, Command, Part, Ping, encode_commands
from dagrpc._client.coordination_client import CoordinationClient
from dagrpc._client.inline_results import inline_payload, no_payload
from dagrpc._client.key_table import LOST_REASON, KeyState, KeyTable, lock
from dagrpc._client.reconnection import Reconnection
from dagrpc._client.topics import Topics
from dagrpc._common.versions import own_versions
from dagrpc._loop.io_loop import LoopThread, spawn
from dagrpc._loop.wakeup_queue import WakeUpQueue
from dagrpc._peer.calling_session import CallingSession
from dagrpc._peer.session import flush_after
from dagrpc._rpc import channels, grpc_options
from dagrpc._rpc.channels import ChannelPool, ServiceClient
from dagrpc._rpc.recovery import expect_recovery
from dagrpc.exceptions import (
    ClosedClientError,
    CommClosedError,
    DagrpcError,
    GraphError,
    NotReadyError,
)
from dagrpc.v1 import client_session_pb2, common_pb2, scheduler_service_pb2

logger = logging.getLogger("dagrpc.client")

SCHEDULER_SERVICE = scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"]


class ClientSession:
    """A client's connection to the scheduler. Lives on the IO loop, except where a method says otherwise.

    Parameters
    ----------
    loop : LoopThread
        The IO loop.
    table : KeyTable
        Receives the events.
    client_id : str
        The client's name at the scheduler.
    """

    def __init__(self, loop: LoopThread, table: KeyTable, client_id: str) -> None:
        self.loop = loop
        self.table = table
        self.client_id = client_id
        self.address = ""
        self.status = "newly-created"
        self.data: ChannelPool | None = None
        """The connections for bulk data, by address."""
        self.code = CallingCode.configured()
        """Returns the code that calls `submit` and the like; None if the scheduler does not collect it."""
        self.on_lost: Callable[[], object] = lambda: None
        """Called once, on the loop, when the session ends without having been closed."""
        self.on_renewal: Callable[[Callable[[], None]], None] = lambda renew: renew()
        """Calls the function that prepares a new session, and makes preparations of its own."""
        self.credentials: Credentials | None = None
        """Credentials for TLS; None for connections without TLS."""
        self.families: tuple[str, ...] | None = None
        """Families of encodings that the client accepts; None for any."""
        self.coordination = CoordinationClient(self)
        """Operations on locks, queues and other coordination primitives."""
        self.topics = Topics(self)
        """Topics whose events the client subscribes to."""
        self._actors: ActorCaller | None = None
        self._channel: grpc.aio.Channel | None = None
        self._run_task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._commands: WakeUpQueue[Command] = WakeUpQueue(loop.loop, self._flush)
        """Commands from any thread."""
        self._settled: deque[Command] = deque()
        """Commands after the count of dropped references. They precede the commands of the queue."""
        self._tokens = 0
        self._pongs: dict[int, asyncio.Future[None]] = {}
        self.farewell: client_session_pb2.SchedulerGoodbye | None = None
        """The scheduler's goodbye, if it stopped."""
        self._end_message = ""
        """Why the session ended, if nobody closed it."""
        self.peer: CallingSession[Command] = CallingSession(
            "UpdateGraph",
            encode_commands,
            client_session_pb2.UpdateGraphRequest,
            client_session_pb2.UpdateGraphResponse,
        )
        """The session with the scheduler, which survives its streams."""
        self._reconnection = Reconnection(self)
        self._released_since_barrier = False
        """Whether keys were released since the last barrier."""

    # --- from any thread -----------------------------------------------------------------------------------------

    def send(self, command: Command) -> None:
        """Queue a command behind all earlier ones. May be called from any thread, also from finalizers."""
        if self.code is not None and isinstance(command, (Call, Part)):
            command.code = self.code()
        # A closed loop sends nothing. The client is closed by then as well.
        self._commands.put(command)

    def drop_released(self) -> None:
        """Count the references dropped so far. May be called from any thread, but not from finalizers.

        Keys without references are removed from the table, so that they can be used for other tasks.
        """
        if not self._commands.items:
            return
        with lock:
            pending, settled, drop = self._commands.items, self._settled, self.table.drop
            unfinished: list[KeyState] = []
            while pending:
                command = pending.popleft()
                if type(command) is not KeyState:
                    settled.append(command)
                elif drop(command):
                    settled.append(command)
                    self._released_since_barrier = True
                    if not command.done:
                        unfinished.append(command)
            if unfinished:
                # Events of released tasks may still arrive, and must not be applied to new tasks of these keys.
                token = self.next_token()
                settled.append(Ping(token))
                self.table.barrier(unfinished, token)

    def next_token(self) -> int:
        """Return a number for a ping, higher than all earlier numbers."""
        with lock:
            self._tokens += 1
            return self._tokens

    def actor_caller(self, direct: bool | None) -> ActorCaller:
        """Return the caller of actors of this client. May be called from any thread."""
        if self._actors is None:
            with lock:
                if self._actors is None:
                    assert self.data is not None
                    self._actors = ActorCaller(
                        self.loop, self.client_id, self.data, self.scheduler, direct, self.credentials
                    )
        return self._actors

    # --- connecting ----------------------------------------------------------------------------------------------

    async def connect(self, address: str, timeout: float) -> None:
        """Connect to the scheduler.

        Raises
        ------
        CommClosedError
            If no scheduler answers at the address within `timeout` seconds.
        VersionUnsupportedError
            If scheduler and client share no protocol revision.
        """
        self.address = self.peer.address = address
        self.status = "connecting"
        try:
            async with asyncio.timeout(timeout):
                await self._open(address, timeout)
        except TimeoutError:
            await self._abandon()
            raise await channels.unanswered(address, timeout, "scheduler") from None
        except BaseException:
            await self._abandon()
            raise
        self.status = "running"
        self._flush()

    async def _open(self, address: str, timeout: float) -> None:
        self._channel = channels.open_channel(address, grpc_options.CONTROL_CHANNEL, self.credentials)
        self.data = ChannelPool(grpc_options.DATA_CHANNEL, credentials=self.credentials)
        self.peer.service = ServiceClient(self._channel, SCHEDULER_SERVICE, self.peer.name)
        await self.connected(timeout)
        expect_recovery(self._channel, self.peer.recovery)
        self.peer.begin(*await self._reconnection.greet_first(timeout))
        self._run_task = spawn(self._run(), self._tasks)

    def hello(self, *, resume: bool) -> client_session_pb2.UpdateGraphRequest:
        """Return the message that introduces the client, either to resume its session or to begin a new one."""
        return client_session_pb2.UpdateGraphRequest(
            hello=client_session_pb2.ClientHello(
                client_id=self.client_id,
                versions=common_pb2.Versions(**own_versions()),
                # Inline results are pickles, which a client with `families` may not accept.
                inline_limit=config.get_bytes("comm.inline-limit") if self.families is None else 0,
                topics=self.topics.wanted(),
                session_token=self.peer.token,
                resume=common_pb2.Resumption(received=self.peer.received) if resume else None,
            )
        )

    @property
    def scheduler(self) -> ServiceClient | None:
        """The client of the scheduler's unary methods, on the session's connection; None before `connect`."""
        return self.peer.service

    @property
    def welcome(self) -> client_session_pb2.ClientWelcome:
        """The scheduler's latest answer to the client's introduction."""
        welcome: client_session_pb2.ClientWelcome = self.peer.welcome
        return welcome

    async def connected(self, timeout: float) -> None:
        """Wait until the channel is connected."""
        assert self._channel is not None
        await channels.wait_ready(self._channel, self.address, timeout, self.credentials)

    async def _abandon(self) -> None:
        self.status = "closed"
        self.peer.recovery.close()
        self.coordination.end(CommClosedError(self.lost("")))
        await self._close_channels()

    async def _run(self) -> None:
        """Hold the session, with a new stream after each break."""
        while True:
            self.farewell = None
            message = await self._hold()
            if self.status != "running":
                return
            if message or not self.peer.resumable:
                break
            message = await self._reconnection.reopen()
            if message or self.status != "connecting":
                break
            self.status = "running"
            self.peer.recovery.over(True)
            self._flush()
        if self.lives:
            self.status = "closed"
            self.peer.recovery.close()
            self._end_message = message or self.lost("")
            self._end(LOST_REASON, self._end_message)
            self.on_lost()
            await self._close_channels()

    async def _hold(self) -> str:
        """Hold a stream until it ends. Return why the client must not reconnect, or an empty string if it may."""
        try:
            ended = await self.peer.hold(self._on_message)
        except Exception as error:
            logger.exception("The session with the scheduler at %s failed", self.address)
            return f"The session with the scheduler failed: {error}"
        if self.status == "running":
            logger.info("Connection to the scheduler at %s lost: %s", self.address, ended)
        # A client that exceeded a limit would exceed it again.
        if isinstance(ended, DagrpcError) and not isinstance(ended, NotReadyError):
            return f"The scheduler ended the session: {ended}"
        if self.farewell is not None and not self.farewell.may_return:
            return self.lost(f"since it has stopped ({self.farewell.reason})")
        return ""

    def lost(self, how: str) -> str:
        """Return the message that says that the connection was lost."""
        return f"The connection to the scheduler at {self.address} was lost{', ' if how else ''}{how}."

    @property
    def lives(self) -> bool:
        """Whether the client is connected, or is reconnecting."""
        return self.status in ("running", "connecting")

    def renew(self, message: str) -> None:
        """Cancel the futures and requests of a session that the scheduler has forgotten, and prepare a new session."""

        def renew() -> None:
            with lock:
                self.drop_released()
                self._settled.clear()
                self.table.give_up(LOST_REASON, message)
                self._end_requests(message)

        self.on_renewal(renew)

    def _end(self, reason: str, message: str) -> None:
        self.table.close(reason, message)
        self._end_requests(message)
        self.topics.end()

    def _end_requests(self, message: str) -> None:
        for future in self._pongs.values():
            if not future.done():
                future.set_exception(CommClosedError(message))
                future.exception()
        self._pongs.clear()
        self.coordination.end(CommClosedError(message))

    # --- sending -------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        self._commands.rearm()
        session = self.peer.session
        if session is None or self.status != "running":
            return
        with lock:
            self.drop_released()
            commands, self._settled = self._settled, deque()
        if commands:
            flush_after(session.send_many, commands)

    async def barrier(self) -> None:
        """Wait until the scheduler has processed all releases of keys so far.

        Otherwise a unary call that announces a key could overtake an earlier release of the same key.
        """
        self._flush()
        if not self._released_since_barrier:
            return
        self._released_since_barrier = False
        await self.ping()

    async def ping(self) -> None:
        """Wait until the scheduler has processed all earlier commands and their events have arrived."""
        self.check_open()
        token = self.next_token()
        future = asyncio.get_running_loop().create_future()
        self._pongs[token] = future
        self.send(Ping(token))
        await future

    def mark_released(self) -> None:
        """Note that keys were given up by other means than a release command."""
        self._released_since_barrier = True

    # --- receiving -----------------------------------------------------------------------------------------------

    def _on_message(self, message: client_session_pb2.UpdateGraphResponse) -> None:
        finished, payload_of = self.table.finished, inline_payload if self.families is None else no_payload
        with lock:
            for event in message.events:
                kind = event.WhichOneof("event")
                if kind == "finished":
                    done = event.finished
                    finished(done.key, done.type_name, done.nbytes, payload_of(done))
                elif kind is not None:
                    self._on_event(kind, getattr(event, kind))

    def _on_event(self, kind: str, event: Any) -> None:
        table = self.table
        match kind:
            case "erred":
                # A copy, since a reference to a part of a message keeps the whole message alive.
                failure = type(event.failure)()
                failure.CopyFrom(event.failure)
                table.erred(event.key, failure)
            case "lost":
                table.lost(event.key)
            case "retried":
                table.retried(event.key)
            case "cancelled":
                table.cancelled(event.key, event.reason, event.message)
            case "rejected":
                error = GraphError(event.message)
                for key in event.keys:
                    if event.reason:
                        table.cancelled(key, event.reason, event.message)
                    else:
                        table.erred(key, (error, None))
                if not event.keys:
                    logger.warning("The scheduler refused a graph: %s", event.message)
            case "coordinated":
                self.coordination.answered(event)
            case "topic_event":
                self.topics.received(event)
            case "goodbye":
                self.farewell = client_session_pb2.SchedulerGoodbye()
                self.farewell.CopyFrom(event)
            case "pong":
                table.pong(event.token)
                future = self._pongs.pop(event.token, None)
                if future is not None and not future.done():
                    future.set_result(None)

    # --- closing -------------------------------------------------------------------------------------------------

    def check_open(self) -> None:
        """Raise if the client is closed. May be called from any thread."""
        if self.status in ("closing", "closed"):
            why = f": {self._end_message} Make a new one." if self._end_message else ""
            raise ClosedClientError(f"The client is closed{why}")

    def track(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task on the loop and keep it until it ends."""
        return spawn(coroutine, self._tasks)

    async def wait_ended(self, timeout: float) -> None:
        """Wait until the scheduler, which was asked to stop, has ended the stream."""
        self.status = "closing"
        if self._run_task is not None:
            await asyncio.wait((self._run_task,), timeout=timeout)

    async def close(self, timeout: float) -> None:
        """Send the queued commands, end the stream and close the connections."""
        was_running = self.status == "running"
        if was_running:
            self._flush()
        if self.status != "closed":
            self.status = "closing"
        self.peer.recovery.close()
        self._end("client-closed", "The client was closed.")
        session, task = self.peer.session, self._run_task
        if was_running and session is not None and task is not None:
            session.send(client_session_pb2.ClientGoodbye())
            with contextlib.suppress(Exception):
                await session.drain(timeout)
                await self.peer.stream.done_writing()
                # The scheduler ends its side of the stream once it has read the client's side to the end.
                await asyncio.wait((task,), timeout=min(timeout, 1.0))
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=timeout)
        self.status = "closed"
        await self._close_channels()

    async def _close_channels(self) -> None:
        if self._actors is not None:
            await self._actors.close()
        if self.peer.stream is not None:
            self.peer.stream.cancel()
        if self.data is not None:
            await self.data.close()
        if self._channel is not None:
            await self._channel.close()
