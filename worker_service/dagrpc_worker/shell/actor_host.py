"""The actors of a worker: the objects, and the threads that run their methods."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Any, TypeAlias

from dagrpc import _client_on_workers as client_parts
from dagrpc._auth.credentials import Credentials
from dagrpc._codec.unpickling import with_unpickle_lock
from dagrpc._common.keys import decode_key
from dagrpc._loop.io_loop import get_loop
from dagrpc_worker.core.instructions import Execute
from dagrpc_worker.execute import task_context
from dagrpc_worker.execute.custom_executors import ACTORS as POOL
from dagrpc_worker.execute.executors import ThreadPool
from dagrpc_worker.execute.runner import TaskRunner
from dagrpc_worker.execute.task_context import TaskContext

if TYPE_CHECKING:
    from dagrpc._rpc.channels import ChannelPool

NO_ACTOR: Any = object()
"""Stands for an actor that is not on this worker."""
_READING_THREADS = 4
_PLAIN_TYPES = frozenset((int, float, bool, type(None)))
"""Types whose values are encoded at no cost."""

Arguments: TypeAlias = tuple[Sequence[Any], Mapping[str, Any]]
Load: TypeAlias = Callable[[], Arguments]
Finish: TypeAlias = Callable[[Any, BaseException | None], None]
"""Takes the result of a method, or its exception. Called in the thread of the method."""


@dataclass(slots=True)
class ActorContext(TaskContext):
    """The method of an actor that the calling code is part of."""

    aside: ThreadPool | None = None
    """Runs the methods that this method waits for."""

    def secede(self) -> bool:
        """Do nothing: methods run in threads of their own, for which no task waits."""
        return False

    def rejoin(self) -> None:
        """Do nothing."""

    @property
    def ended(self) -> bool:
        """False: the end of a method is not recorded."""
        return False

    def run_aside(self, call: ActorCall) -> None:
        """Run another method while this one waits for it, in a separate thread."""
        if self.aside is None:
            self.aside = ThreadPool(f"{self.key}-aside", 1, ActorCall.run)
        self.aside.submit(call)

    def close(self) -> None:
        """Call `at_end`, and end the separate thread."""
        if self.at_end is not None:
            self.call_at_end()
        if self.aside is not None:
            self.aside.close()


class ActorCall:
    """A method of an actor on its way through a pool of threads."""

    __slots__ = ("finish", "host", "instance", "load", "name", "read", "slow_end")

    def __init__(
        self,
        host: ActorHost,
        instance: Any,
        name: str,
        read: bool,
        load: Load,
        finish: Finish,
        slow_end: bool = False,
    ) -> None:
        self.host = host
        self.instance = instance
        self.name = name
        self.read = read
        self.load = load
        self.finish = finish
        self.slow_end = slow_end

    def run(self) -> None:
        """Call the method, in this thread. Never raises."""
        context, part = copy_context(), self.host.context_of(self)
        context.run(task_context.current.set, part)
        try:
            value = context.run(self._call)
            if inspect.iscoroutine(value):
                self.host.run_on_loop(self.complete(value))
                return
        # SystemExit and KeyboardInterrupt too: the exception of a user's method is sent as the answer.
        except BaseException as error:
            context.run(self.finish, None, error)
            return
        finally:
            part.close()
        context.run(self.finish, value, None)

    def _call(self) -> Any:
        found = getattr(self.instance, self.name)
        if self.read:
            return found
        args, kwargs = with_unpickle_lock(self.load)
        return found(*args, **kwargs)

    async def complete(self, coroutine: Coroutine[Any, Any, Any] | None = None) -> None:
        """Run a method on the loop, or await the coroutine that it returned."""
        context = self.host.context_of(self)
        context.on_loop = True
        task_context.current.set(context)
        try:
            value = self._call() if coroutine is None else coroutine
            if inspect.isawaitable(value):
                value = await value
        except BaseException as error:
            current = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and current is not None and current.cancelling():
                # The worker closes.
                raise
            outcome: tuple[Any, BaseException | None] = (None, error)
        else:
            outcome = (value, None)
        finally:
            context.close()
        if type(outcome[0]) in _PLAIN_TYPES and not self.slow_end:
            self.finish(*outcome)
        else:
            # Encoding may take long, and may run user code.
            await asyncio.to_thread(self.finish, *outcome)


class ActorHost:
    """Holds the actors of a worker.

    Methods run in the pool `POOL`, which has one thread unless the user provides a larger pool; coroutines run on the
    event loop. Attributes are read in separate threads, so that they can be read while a method runs.

    Parameters
    ----------
    run_on_loop : callable
        Runs a coroutine on the event loop. Called from any thread.
    channels : ChannelPool
        Connections to other workers for bulk data.
    """

    def __init__(
        self,
        runner: TaskRunner,
        run_on_loop: Callable[[Coroutine[Any, Any, None]], None],
        channels: ChannelPool,
        credentials: Credentials | None = None,
    ) -> None:
        self._credentials = credentials
        self.instances: dict[str, Any] = {}
        """The actors, by key as on the wire."""
        self.run_on_loop = run_on_loop
        self._runner = runner
        # The user may have provided a pool.
        self._first_pool = runner.pool(POOL) or runner.add_pool(POOL, self._work)
        self._first_pool.work = self._work
        self._reading = ThreadPool(f"{self._first_pool.name}-attributes", _READING_THREADS, ActorCall.run)
        self._coroutine_functions: dict[tuple[type, str], bool] = {}
        self._channels = channels
        self._lock = threading.Lock()
        self._caller: client_parts.ActorCaller | None = None
        runner.actors = self

    def _work(self, item: Any) -> None:
        if type(item) is ActorCall:
            item.run()
        else:
            self._runner.work(item)

    @property
    def _pool(self) -> Any:
        """The pool that runs methods, which users may replace."""
        return self._runner.pool(POOL) or self._first_pool

    @property
    def address(self) -> str:
        """The worker's address."""
        address: str = self._runner.owner.address
        return address

    # --- holding -------------------------------------------------------------------------------------------------

    def adopt(self, key: str, instance: Any) -> Any:
        """Hold an actor and return the proxy that is stored as the task's result."""
        self.instances[key] = instance
        # The worker's own proxy must not keep the actor alive.
        return client_parts.Actor._unheld(type(instance), self.address, decode_key(key))

    def as_argument(self, value: Any, hold: bool) -> Any:
        """Return the argument that a task gets for `value`: for a proxy of an actor, a proxy of the task's own.

        With `hold`, the proxy keeps the actor alive: the task is an actor itself and may keep its arguments.
        """
        Actor = client_parts.Actor
        if type(value) is not Actor:
            return value
        if hold:
            return Actor(value._cls, value._address, value.key)
        return Actor._unheld(value._cls, value._address, value.key)

    def drop(self, keys: Iterable[str]) -> None:
        """Release actors. Running methods are not stopped."""
        for key in keys:
            self.instances.pop(key, None)

    async def close(self) -> None:
        """Accept and make no more calls. Running methods are not stopped."""
        self._reading.close()
        self.instances.clear()
        if self._caller is not None:
            await self._caller.close()

    # --- calling -------------------------------------------------------------------------------------------------

    def start(
        self,
        instance: Any,
        name: str,
        read: bool,
        load: Load,
        finish: Finish,
        *,
        slow_end: bool = False,
        on_loop: bool = False,
    ) -> None:
        """Run a method, after all methods that were started before. From any thread.

        Parameters
        ----------
        instance : object
            The actor.
        name : str
            The method or the attribute.
        read : bool
            Whether an attribute is read.
        load : callable
            Returns the arguments. Called in the thread that runs the method.
        finish : callable
            Takes the outcome.
        slow_end : bool
            Whether `finish` must not be called on the event loop.
        on_loop : bool
            Whether the method runs on the event loop, even if it is no coroutine.
        """
        call = ActorCall(self, instance, name, read, load, finish, slow_end)
        if read:
            self._reading.submit(call)
        elif on_loop or self._is_coroutine_function(type(instance), name):
            self.run_on_loop(call.complete())
        else:
            self._pool.submit(call)

    def settle_wants(self) -> None:
        """Wait until the scheduler knows which futures and actors this worker wants. Not on the event loop."""
        client_parts.core_of(self._runner.owner.get_client()).await_scheduler()

    def call_here(self, state: client_parts.CallState, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Call a method of an actor for code on the same worker, without encoding arguments or the result."""
        instance = self.instances[state.actor]

        def finish(value: Any, error: BaseException | None) -> None:
            if error is None:
                state.returned(value)
            else:
                state.failed((error, error.__traceback__))

        def load() -> Arguments:
            return args, kwargs

        if state.read or state.on_loop or self._is_coroutine_function(type(instance), state.name):
            self.start(instance, state.name, state.read, load, finish, on_loop=state.on_loop)
            return
        call = ActorCall(self, instance, state.name, False, load, finish)
        part = task_context.current.get()
        if not isinstance(part, ActorContext) or part.on_loop:
            self._pool.submit(call)
        elif get_loop().inside:
            # A coroutine makes the call, and a method waits for it in the thread that would run the called method.
            part.run_aside(call)
        else:
            # An actor calls another one, or itself: this thread is the one that would run the method.
            call.run()

    @property
    def caller(self) -> client_parts.ActorCaller:
        """Calls actors of other workers for code on this worker. From any thread."""
        if self._caller is None:
            with self._lock:
                if self._caller is None:
                    self._caller = client_parts.ActorCaller(
                        get_loop(), self.address, self._channels, credentials=self._credentials
                    )
        return self._caller

    def _is_coroutine_function(self, kind: type, name: str) -> bool:
        known = self._coroutine_functions.get((kind, name))
        if known is None:
            found = inspect.iscoroutinefunction(inspect.unwrap(getattr(kind, name, None) or abs))
            known = self._coroutine_functions[kind, name] = found
        return known

    def context_of(self, call: ActorCall) -> ActorContext:
        """Return the context of a call."""
        method = Execute(f"{type(call.instance).__name__}.{call.name}", 0, None, executor=POOL)
        return ActorContext(method, self._runner, time())
