"""What a worker tells of itself to code that runs in it, by the names that distributed has for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from dagrpc import config
from dagrpc._common.keys import Key, decode_key, encode_key
from dagrpc._rpc.embedded_server import ServiceHome
from dagrpc_worker.shell.facade.state_view import told_as
from dagrpc_worker.shell.memory.memory_options import MemoryManager

if TYPE_CHECKING:
    from dagrpc_worker.shell.monitoring.process_monitor import ProcessMonitor
    from dagrpc_worker.shell.service import WorkerService


class Measured:
    """The part of `Worker` that tells of itself."""

    _service: WorkerService
    _home: ServiceHome

    if TYPE_CHECKING:

        @property
        def address(self) -> str:
            """Where it serves."""

        @property
        def data(self) -> Mapping[Key, Any]:
            """The results that it holds, by key."""

    # --- what it was told ----------------------------------------------------------------------------------------

    @property
    def contact_address(self) -> str:
        """Where others reach it."""
        return self.address or self._service.options.contact_address

    @property
    def lifetime(self) -> float | None:
        """Seconds after which it leaves in good order; None: it stays."""
        return self._service.options.lifetime

    @property
    def lifetime_restart(self) -> bool:
        """Whether another is to take its place then."""
        return self._service.options.lifetime_restart

    @property
    def death_timeout(self) -> float | None:
        """Seconds to look for the scheduler before giving up; None: without end."""
        return self._service.options.death_timeout

    @property
    def heartbeat_interval(self) -> float:
        """Seconds between two measurements."""
        return self._service.options.heartbeat_interval

    @property
    def low_level_profiler(self) -> bool:
        """Whether profiles keep the frames around a task's own code."""
        return self._service.options.low_level_profiler

    @property
    def memory_manager(self) -> MemoryManager:
        """When something is done about its memory."""
        return MemoryManager.of(self._service.memory_limit, self._service.options.memory_fractions(), self.data)

    # --- what it measures ----------------------------------------------------------------------------------------

    @property
    def metrics(self) -> dict[str, Callable[[Any], Any]]:
        """What users have measured with each heartbeat: functions of the worker by name. More can be added."""
        return self._service.options.metrics

    @property
    def startup_information(self) -> Mapping[str, Callable[[Any], Any]]:
        """What users have told the scheduler at the start: functions of the worker by name."""
        return self._service.options.startup_information

    @property
    def monitor(self) -> ProcessMonitor:
        """What its process uses: ``monitor.recent()``."""
        return self._service.monitor

    @property
    def bandwidth(self) -> float:
        """Bytes a second that transfers between workers are taken to bring, as configured."""
        return float(config.get_bytes("scheduler.bandwidth"))

    @property
    def latency(self) -> float:
        """Seconds that the scheduler took to answer the last heartbeat."""
        return self._service.heartbeat.latency if self._service.heartbeat is not None else 0.0

    @property
    def thread_id(self) -> int:
        """The thread of the event loop that it runs on."""
        return self._service.thread_id

    @property
    def transfer_outgoing_count(self) -> int:
        """How many transfers to other workers are under way."""
        return int(self._service.counts()["transfers_outgoing"])

    @property
    def transfer_outgoing_bytes(self) -> int:
        """How many bytes they take."""
        return int(self._service.counts()["transfers_outgoing_bytes"])

    async def get_metrics(self) -> dict[str, Any]:
        """Measure the worker, and return what the scheduler shows of that.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
        ...     (await worker.get_metrics())["spilled_bytes"]
        {'memory': 0, 'disk': 0}
        """
        return await self._home.awaiting(self._measure())

    async def _measure(self) -> dict[str, Any]:
        import time

        from dagrpc._client.worker_metrics import described
        from dagrpc_worker.shell.facade.user_hooks import OwnMetrics
        from dagrpc_worker.shell.monitoring.worker_metrics import Metrics

        service = self._service
        found = {**Metrics(service).sample(), **await OwnMetrics(service).sample()}
        late = service.heartbeat.lag if service.heartbeat is not None else 0.0
        return {**described(found), "event_loop_interval": late, "time": time.time()}

    async def get_startup_information(self) -> dict[str, Any]:
        """Return what the functions of `startup_information` give.

        Examples
        --------
        >>> told = {"answer": lambda worker: 42}
        >>> async with Scheduler() as scheduler, Worker(scheduler.address, startup_information=told) as worker:
        ...     await worker.get_startup_information()
        {'answer': 42}
        """
        from dagrpc_worker.shell.facade.user_hooks import startup_facts

        return await self._home.awaiting(startup_facts(self._service))

    # --- its tasks -----------------------------------------------------------------------------------------------

    def keys(self) -> list[Key]:
        """Return the keys of the results that it holds.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Worker(scheduler.address, name="alice") as worker:
        ...     async with Client(scheduler.address, asynchronous=True) as client:
        ...         await client.submit(sum, [1, 2], key="total")
        ...         worker.keys()
        3
        ['total']
        """
        return list(self.data)

    @property
    def active_keys(self) -> set[Key]:
        """Keys of the tasks that run."""
        return {decode_key(context.key) for context in self._service._runner.contexts()}

    @property
    def active_threads(self) -> dict[int, Key]:
        """Keys of the tasks that run, by the thread of each. Coroutines have none."""
        contexts = self._service._runner.contexts()
        return {context.thread: decode_key(context.key) for context in contexts if not context.on_loop}

    @property
    def threads(self) -> dict[Key, int]:
        """The threads of the tasks that run, by key. Coroutines have none."""
        return {key: thread for thread, key in self.active_threads.items()}

    @property
    def executor(self) -> Executor:
        """The pool of threads that runs tasks. What is submitted to it takes its turn among them.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
        ...     worker.executor.submit(sum, [1, 2]).result()
        3
        """
        executor: Executor = self._service.executors["default"]
        return executor

    def get_call_stack(self, keys: Collection[Key] | None = None) -> dict[Key, tuple[str, ...]]:
        """Return where tasks are that run, by key; of all if none are named.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
        ...     worker.get_call_stack()
        {}
        """
        from dagrpc_worker.execute.call_stacks import call_stacks

        if keys is not None and not keys:
            return {}
        wanted = frozenset(map(encode_key, keys or ()))
        service = self._service
        found = call_stacks(service._runner.contexts(), wanted, service.options.low_level_profiler)
        return {decode_key(key): tuple(lines) for key, lines in found.items()}

    async def get_story(self, keys_or_stimuli: Iterable[Any]) -> list[tuple[Any, ...]]:
        """Return what happened to tasks, or on account of something: key, states, stimulus and time of each.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Worker(scheduler.address, name="alice") as worker:
        ...     async with Client(scheduler.address, asynchronous=True) as client:
        ...         await client.submit(sum, [1, 2], key="total")
        ...         (await worker.get_story(["total"]))[0][:3]
        3
        ('total', 'released', ...)
        """
        wanted = [encode_key(each) for each in keys_or_stimuli]
        found = self._home.call(self._service.state.story_of, wanted)
        return [told_as(entry) for entry in found]

    async def get_profile(
        self, start: float | None = None, stop: float | None = None, key: str | None = None, server: bool = False
    ) -> dict[str, Any]:
        """Return what its tasks, or with `server` its event loop, spent their time on; see `Client.profile`.

        Parameters
        ----------
        start, stop : float, optional
            The time, in seconds since the epoch.
        key : str, optional
            A prefix of keys; by default of all tasks.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
        ...     (await worker.get_profile())["count"]
        0
        """
        profile = self._service._diagnostics.profile
        if profile is None:
            from dagrpc._profiling.trees import new_profile

            return new_profile()
        if server:
            return await asyncio.to_thread(profile.loop, start or 0.0, stop or 0.0)
        return await asyncio.to_thread(profile.tasks, key or "", start or 0.0, stop or 0.0)

    # --- what it can do ------------------------------------------------------------------------------------------

    async def upload_file(self, filename: str, data: str | bytes, load: bool = True) -> dict[str, Any]:
        """Write a file into its directory, and import it if it is one of Python.

        Raises
        ------
        ValueError
            If the name is no bare name.
        Exception
            Whatever importing it raises.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
        ...     await worker.upload_file("numbers.txt", "1 2 3")
        {'status': 'OK', 'nbytes': 5}
        """
        from dagrpc.plugins import _files

        content = data.encode() if isinstance(data, str) else data
        await asyncio.to_thread(_files.place, self._service.local_directory, filename, content, load)
        return {"status": "OK", "nbytes": len(content)}
