"""A stand-in for the scheduler: serves WorkerSessionService, remembers what workers report, sends what a test wants.

The real scheduler is not needed to test a worker, and would not send what it should be tested against.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from dagrpc._codec import payload
from dagrpc._codec.functions import PickledFunction, encode_call
from dagrpc._peer.session import Session
from dagrpc._rpc.server import Server, read_all
from dagrpc.exceptions import DuplicateWorkerError
from dagrpc.v1 import graph_pb2, plugin_service_pb2, worker_session_pb2

SERVICE = worker_session_pb2.DESCRIPTOR.services_by_name["WorkerSessionService"]
WAIT = 60.0

Command = worker_session_pb2.WorkerCommand


class JoinedWorker:
    """A worker as the stand-in sees it."""

    def __init__(self, hello: worker_session_pb2.WorkerHello, session: Session[Any]) -> None:
        self.hello = hello
        self.address = hello.address
        self.session = session
        self._reports: dict[tuple[str, str], Any] = {}
        self.goodbye: str | None = None
        self.gone = asyncio.Event()
        self._changed = asyncio.Event()
        self._run_ids = 0

    def take(self, message: worker_session_pb2.ComputeRequest) -> None:
        """Remember what the worker reports."""
        for report in message.reports:
            kind = report.WhichOneof("report")
            assert kind is not None
            content = getattr(report, kind)
            self._reports[kind, getattr(content, "key", "")] = self._reports[kind, ""] = content
            if kind == "goodbye":
                self.goodbye = content.reason
        self._changed.set()

    # --- commands ---

    def send(self, message: worker_session_pb2.ComputeResponse) -> None:
        """Send a batch."""
        self.session.send(message)

    def command(self, **fields: Any) -> None:
        """Send one command."""
        self.send(worker_session_pb2.ComputeResponse(commands=[Command(**fields)]))

    def submit(
        self,
        key: str,
        function: Callable[..., Any],
        *args: Any,
        dependencies: Mapping[str, tuple[int, Iterable[str]]] | None = None,
        **options: Any,
    ) -> int:
        """Send a task that calls a function, and return the run id. `DependencyRef` arguments stand for results."""
        pickled = PickledFunction(function)
        addresses: list[str] = []
        used = []
        for name, (nbytes, holders) in (dependencies or {}).items():
            positions = range(len(addresses), len(addresses) + len(list(holders)))
            addresses.extend(holders)
            used.append(worker_session_pb2.Dependency(key=name, nbytes=nbytes, holders=positions))
        work = {"run_spec": encode_call(pickled, args, {})[0], "shared": [0], **options}
        compute = self._compute(key, dependencies=used, **work)
        self.send(
            worker_session_pb2.ComputeResponse(
                shared=[{"digest": pickled.digest, "data": pickled.data}],
                addresses=addresses,
                commands=[Command(compute=compute)],
            )
        )
        return compute.run_id

    def call(self, key: str, call: graph_pb2.Call, **options: Any) -> int:
        """Send a task that calls a function by name, and return the run id."""
        compute = self._compute(key, call=call, **options)
        self.command(compute=compute)
        return compute.run_id

    def _compute(self, key: str, **fields: Any) -> worker_session_pb2.ComputeTask:
        self._run_ids += 1
        fields = {"priority": [0.0, self._run_ids], "duration_seconds": -1.0, **fields}
        return worker_session_pb2.ComputeTask(key=key, run_id=self._run_ids, **fields)

    # --- reports ---

    def find(self, kind: str, key: str = "") -> Any | None:
        """Return the last report of a kind about a key."""
        return self._reports.get((kind, key))

    async def wait(self, kind: str, key: str = "", timeout: float = WAIT) -> Any:
        """Wait for a report and return it."""
        async with asyncio.timeout(timeout):
            while (found := self.find(kind, key)) is None:
                self._changed.clear()
                await self._changed.wait()
        return found

    async def result(self, key: str, timeout: float = WAIT) -> Any:
        """Wait for a task and return its result, which must be small."""
        async with asyncio.timeout(timeout):
            while True:
                if (erred := self.find("erred", key)) is not None:
                    raise AssertionError(f"{key} failed: {erred.failure.type_name}: {erred.failure.message}")
                if (finished := self.find("finished", key)) is not None:
                    return payload.from_payload(finished.payload)
                self._changed.clear()
                await self._changed.wait()

    async def at_work(self) -> None:
        """Wait until the worker runs tasks; it may still be about to begin when it has just joined."""
        self.submit("at-work", abs, -1)
        await self.result("at-work")
        self.command(free={"keys": ["at-work"]})


class NoPlugins:
    """Answers workers who ask for plugins that there are none."""

    async def SyncPlugins(self, _: Any, context: Any) -> None:
        await context.write(plugin_service_pb2.SyncPluginsResponse(revision=1).SerializeToString())

    async def RegisterPlugin(self, _: Any) -> None:
        raise NotImplementedError

    async def UnregisterPlugin(self, _: Any) -> None:
        raise NotImplementedError


class StandIn:
    """The scheduler's side of the workers' sessions. Refuses names that are taken, as the scheduler does."""

    def __init__(self, inline_limit: int = 8192, heartbeat_interval: float = 0.05) -> None:
        self.workers: dict[str, JoinedWorker] = {}
        self.joined: list[JoinedWorker] = []
        self.given_up: list[worker_session_pb2.ReportGivenUpRequest] = []
        self.heartbeats: list[worker_session_pb2.HeartbeatRequest] = []
        self.address = ""
        self.before_welcome: Callable[[str], Awaitable[None]] | None = None
        """Called with a worker's address before the worker is told that it is known."""
        self.last_shuffle_run = 0
        """The run of a shuffle that began last."""
        self._inline_limit = inline_limit
        self._heartbeat_interval = heartbeat_interval
        self._changed = asyncio.Event()
        self._server = Server()
        self._server.add_service(SERVICE, self)
        self._server.add_service(plugin_service_pb2.DESCRIPTOR.services_by_name["PluginService"], NoPlugins())

    async def start(self, port: int = 0) -> StandIn:
        """Serve."""
        port = await self._server.start("127.0.0.1", port)
        self.address = f"127.0.0.1:{port}"
        return self

    async def stop(self) -> None:
        """Stop serving, without a word to the workers."""
        await self._server.stop(0)

    async def __aenter__(self) -> StandIn:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def wait_for(self, count: int, timeout: float = WAIT) -> list[JoinedWorker]:
        """Wait until so many workers have joined, since the beginning, and return them in order."""
        async with asyncio.timeout(timeout):
            while len(self.joined) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.joined[:count]

    async def Compute(self, _: Any, context: Any) -> None:
        """Hold a worker's session."""
        first = await context.read()
        hello = first.hello
        if any(worker.hello.name == hello.name for worker in self.workers.values()):
            raise DuplicateWorkerError(f"A worker named {hello.name!r} is connected already")
        session: Session[Any] = Session(
            context, lambda batch: batch, worker_session_pb2.ComputeRequest, f"worker {hello.address}"
        )
        welcome = worker_session_pb2.WorkerWelcome(
            scheduler_id="stand-in",
            name=hello.name,
            inline_limit=self._inline_limit,
            last_shuffle_run=self.last_shuffle_run,
        )
        worker = JoinedWorker(hello, session)
        self.workers[hello.address] = worker
        if self.before_welcome is not None:
            await self.before_welcome(hello.address)
        await session.write_now(worker_session_pb2.ComputeResponse(welcome=welcome))
        self.joined.append(worker)
        self._changed.set()
        try:
            await session.run(worker.take)
        finally:
            del self.workers[hello.address]
            worker.gone.set()

    async def ReportGivenUp(
        self, request: worker_session_pb2.ReportGivenUpRequest
    ) -> worker_session_pb2.ReportGivenUpResponse:
        """Take note that a nanny has given up its worker."""
        self.given_up.append(request)
        return worker_session_pb2.ReportGivenUpResponse()

    async def Heartbeat(self, _: Any, context: Any) -> None:
        """Take measurements."""
        async for message in read_all(context):
            self.heartbeats.append(message)
            answer = worker_session_pb2.HeartbeatResponse(time=0.0, interval_seconds=self._heartbeat_interval)
            await context.write(answer.SerializeToString())
