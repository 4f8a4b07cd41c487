"""The client: the class that users of dagrpc work with, as a table of contents of its verbs.

Each verb is a function in a module of `dagrpc._client.verbs`, with its documentation, and is bound here as a method.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Generator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import dask.config

from dagrpc import config, messages
from dagrpc._auth.credentials import check_address, credentials_of, shown_address
from dagrpc._client import current, html_repr
from dagrpc._client.bound_verbs import bound_verbs
from dagrpc._client.client_core import ClientCore
from dagrpc._client.client_security import security_of
from dagrpc._client.current import ensure_default_client, temp_default_client
from dagrpc._client.event_loops import EventLoop
from dagrpc._client.key_table import KeyState, lock
from dagrpc._client.lifecycle import ClientLifecycle
from dagrpc._client.scheduler_calls import SchedulerCalls
from dagrpc._client.submission_options import NO_DEFAULT, Duration, connect_timeout
from dagrpc._client.verbs import cluster_control as cluster_verbs
from dagrpc._client.verbs import (
    collections,
    data,
    diagnostics,
    events,
    introspection,
    logs,
    memory,
    metadata,
    named_calls,
    plugins,
    replay,
)
from dagrpc._client.verbs import datasets as dataset_verbs
from dagrpc._client.verbs import run as run_verbs
from dagrpc._client.verbs import submit as submit_verbs
from dagrpc._client.waiting import run_awaiting
from dagrpc._common.dashboard_link import dashboard_link
from dagrpc._process.logging_config import configure_once
from dagrpc.compat import familiar_names
from dagrpc.future import Future

__all__ = ["Client", "Future", "ensure_default_client", "temp_default_client"]
if not TYPE_CHECKING:
    __getattr__ = familiar_names.lookup("client")


@bound_verbs
class Client:
    """Connects to a cluster, submits tasks to it and fetches their results.

    Parameters
    ----------
    address : str or cluster, optional
        Address of a scheduler, or a cluster object. By default the setting ``scheduler-address`` of dask's
        configuration; without the setting a `LocalCluster` is started with the other keyword arguments.
    loop : object, optional
        Accepted for compatibility.
    timeout : number or str, optional
        How long to try to reach the scheduler.
    set_as_default : bool
        Whether to be the default client, and dask's default scheduler.
    scheduler_file : str, optional
        A file with the scheduler's address, written by the scheduler.
    security : Security, dict or bool, optional
        Certificates for TLS, or the arguments of a `Security`; by default the security of the cluster object, else the
        configured certificates. True: temporary certificates for the local cluster that is started.
    asynchronous : bool
        Whether operations return awaitables, for programs on an event loop. Await such a client, or use
        ``async with``.
    name : str, optional
        A part of the client's id, which appears in logs.
    direct_to_workers : bool, optional
        Whether data travels between client and workers directly. By default it does where workers can be reached.
    serializers, deserializers : list of str, optional
        Families of encodings, such as ``["dask", "msgpack"]``, for data that the client sends, best first, and for data
        that it accepts. By default the best encoding for each value; `deserializers` default to `serializers`.
        Functions, arguments of calls and exceptions are pickled in any case.
    extensions : dict, optional
        Callables by name. Each is called with the client, and its return value is in ``extensions`` under the name.
    heartbeat_interval, connection_limit
        Accepted for compatibility.
    **kwargs
        Options of the `LocalCluster` that is started.

    Raises
    ------
    OSError
        If no scheduler answers at the address in time; the message names the address.
    ValueError
        If there are options of a `LocalCluster` beside an address.

    Examples
    --------
    >>> with Client(cluster.scheduler_address) as client:
    ...     client.submit(sum, [1, 2, 3]).result()
    6

    Properties of the connection:

    >>> client = Client(cluster.scheduler_address)
    >>> client.status, client.scheduler.address, client.asynchronous
    ('running', '127.0.0.1:...', False)
    >>> client.loop.add_callback(client.log_event, "topic", "said on the loop")
    >>> client.dashboard_link
    'http://127.0.0.1:.../status'
    >>> client.close()

    On an event loop:

    >>> async with Client(cluster.scheduler_address, asynchronous=True) as client:
    ...     await client.submit(sum, [1, 2, 3])
    6
    """

    generation = 0
    """Always 0. For compatibility: distributed counts reconnections here."""

    _tls_role: ClassVar[str] = "client"
    """Whose certificate of a `Security` the client shows."""
    _default_handlers: ClassVar[Mapping[str, Callable[[Any], object]]] = messages.DEFAULT_HANDLERS
    """Handlers of events, by topic, that are subscribed from the beginning."""

    def __init__(
        self,
        address: Any = None,
        loop: object = None,
        timeout: Duration = NO_DEFAULT,
        set_as_default: bool = True,
        scheduler_file: str | None = None,
        security: Any = None,
        asynchronous: bool = False,
        name: str | None = None,
        heartbeat_interval: Any = None,
        serializers: Any = None,
        deserializers: Any = None,
        extensions: Any = None,
        direct_to_workers: bool | None = None,
        connection_limit: int = 512,
        **kwargs: Any,
    ) -> None:
        if timeout is None:
            raise ValueError("None is no valid timeout for a client: give a number of seconds")
        configure_once()
        if config.get("tracing.enabled"):
            # Only here, so that the calls cost nothing otherwise.
            importlib.import_module("dagrpc._client.traced_verbs").install(Client)
        given_cluster = None if address is None or isinstance(address, str) else address
        self.name = name
        self.scheduler_file = scheduler_file
        self.security = security_of(security, address, given_cluster)
        """The certificates that the client shows and accepts."""
        self._core = ClientCore(
            self,
            name=name or dask.config.get("client-name", None),
            timeout=connect_timeout() if timeout == NO_DEFAULT else config.seconds(timeout) or 0.0,
            asynchronous=asynchronous,
            direct=config.get("client.direct-to-workers", direct_to_workers),
            serializers=serializers,
            deserializers=deserializers,
            credentials=credentials_of(self.security, self._tls_role),
            handlers=self._default_handlers,
        )
        check_address(address, self.security, self._tls_role)
        self._lifecycle = ClientLifecycle(self._core, given_cluster, set_as_default)
        self._lifecycle.start(address, scheduler_file, self.security, kwargs)
        self.extensions: dict[str, Any] = {name: make(self) for name, make in (extensions or {}).items()}

    # --- calls and their futures ---------------------------------------------------------------------------------

    submit = submit_verbs.submit
    map = submit_verbs.map
    submit_call = named_calls.submit_call
    get_executor = submit_verbs.get_executor
    cancel = submit_verbs.cancel
    retry = submit_verbs.retry

    # --- dask collections and graphs -----------------------------------------------------------------------------

    compute = collections.compute
    persist = collections.persist
    get = collections.get
    futures_of = collections.futures_of
    normalize_collection = collections.normalize_collection
    get_restrictions = classmethod(collections.get_restrictions)

    # --- data ----------------------------------------------------------------------------------------------------

    gather = data.gather
    scatter = data.scatter
    who_has = data.who_has
    has_what = data.has_what
    nbytes = data.nbytes

    # --- memory --------------------------------------------------------------------------------------------------

    replicate = memory.replicate
    rebalance = memory.rebalance
    retire_workers = memory.retire_workers

    @property
    def amm(self) -> memory.AMMClientProxy:
        """The scheduler's active memory manager: ``start``, ``stop``, ``run_once``, ``running``.

        Examples
        --------
        >>> client.amm.running()
        True
        >>> client.amm.run_once()
        """
        return memory.AMMClientProxy(self)

    # --- datasets and metadata -----------------------------------------------------------------------------------

    publish_dataset = dataset_verbs.publish_dataset
    get_dataset = dataset_verbs.get_dataset
    list_datasets = dataset_verbs.list_datasets
    unpublish_dataset = dataset_verbs.unpublish_dataset
    set_metadata = metadata.set_metadata
    get_metadata = metadata.get_metadata

    @property
    def datasets(self) -> dataset_verbs.Datasets:
        """The published datasets, as a mutable mapping.

        Examples
        --------
        >>> client.datasets["numbers"] = client.submit(range, 3)
        >>> list(client.datasets)
        ['numbers']
        >>> del client.datasets["numbers"]
        """
        return dataset_verbs.Datasets(self)

    # --- the cluster ---------------------------------------------------------------------------------------------

    scheduler_info = cluster_verbs.scheduler_info
    nthreads = ncores = cluster_verbs.nthreads
    processing = cluster_verbs.processing
    wait_for_workers = cluster_verbs.wait_for_workers
    restart = cluster_verbs.restart
    restart_workers = cluster_verbs.restart_workers
    shutdown = cluster_verbs.shutdown
    write_scheduler_file = cluster_verbs.write_scheduler_file

    # --- functions outside of the task graph ---------------------------------------------------------------------

    run = run_verbs.run
    run_coroutine = run_verbs.run_coroutine
    run_on_scheduler = run_verbs.run_on_scheduler
    sync = run_verbs.sync

    # --- plugins -------------------------------------------------------------------------------------------------

    register_plugin = plugins.register_plugin
    register_worker_plugin = plugins.register_worker_plugin
    register_scheduler_plugin = plugins.register_scheduler_plugin
    register_worker_callbacks = plugins.register_worker_callbacks
    unregister_worker_plugin = plugins.unregister_worker_plugin
    unregister_scheduler_plugin = plugins.unregister_scheduler_plugin
    upload_file = plugins.upload_file

    # --- events and logs -----------------------------------------------------------------------------------------

    log_event = events.log_event
    get_events = events.get_events
    subscribe_topic = events.subscribe_topic
    unsubscribe_topic = events.unsubscribe_topic
    get_scheduler_logs = logs.get_scheduler_logs
    get_worker_logs = logs.get_worker_logs
    forward_logging = logs.forward_logging
    unforward_logging = logs.unforward_logging

    # --- diagnostics ---------------------------------------------------------------------------------------------

    call_stack = diagnostics.call_stack
    profile = diagnostics.profile
    get_task_stream = diagnostics.get_task_stream
    story = introspection.story
    get_versions = introspection.get_versions
    get_spans = introspection.get_spans
    benchmark_hardware = introspection.benchmark_hardware
    dump_cluster_state = introspection.dump_cluster_state
    recreate_error_locally = replay.recreate_error_locally
    recreate_task_locally = replay.recreate_task_locally

    # --- start and end -------------------------------------------------------------------------------------------

    def start(self, **kwargs: Any) -> Any:
        """Connect an asynchronous client, if it is not connected. Any other client is connected when it is made.

        Examples
        --------
        >>> client = Client(cluster.scheduler_address, asynchronous=True)
        >>> await client.start()
        <Client: '127.0.0.1:...' processes=2 threads=4>
        >>> await client.close()
        """
        if self._core.is_asynchronous:
            return self._start_awaiting()
        self._core.check_open()
        return None

    async def _start_awaiting(self) -> Self:
        await self._lifecycle.start_awaiting()
        return self

    def close(self, timeout: Duration = NO_DEFAULT) -> Any:
        """Close this client, and the local cluster that it started. A closed client cannot be used any more.

        The futures of the client are released. Closing a closed client does nothing.

        Parameters
        ----------
        timeout : number or str, optional
            How long to wait for the queued commands to be sent.

        Examples
        --------
        >>> client.close()
        """
        return self._core.run(self._lifecycle.close(self._core.seconds(timeout)))

    def __await__(self) -> Generator[Any, Any, Self]:
        return self._start_awaiting().__await__()

    def __enter__(self) -> Self:
        if self._core.is_asynchronous:
            raise TypeError("Use `async with` with an asynchronous client")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return await self._start_awaiting()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await run_awaiting(self._lifecycle.close(self._core.timeout))

    def __del__(self) -> None:
        # A finalizer may run anywhere, even while the interpreter ends and modules are gone.
        try:
            self._lifecycle.abandon()
        except Exception:
            return

    # --- the current client --------------------------------------------------------------------------------------

    @classmethod
    def current(cls, allow_global: bool = True) -> Any:
        """Return the current client.

        Parameters
        ----------
        allow_global : bool
            Whether the default client counts, too, besides the client of `as_current`.

        Raises
        ------
        ValueError
            If there is no current client.

        Examples
        --------
        >>> Client.current() is client
        True
        """
        client = current.current_client(allow_global)
        if client is None:
            raise ValueError(
                "No clients found. Start one and point it to the scheduler's address:\n"
                "  from dagrpc import Client\n"
                "  client = Client('address-of-the-scheduler:8786')"
            )
        return client

    def as_current(self) -> contextlib.AbstractContextManager[None]:
        """Make this client the current client within a block, in this thread or asynchronous task.

        Examples
        --------
        >>> with Client(cluster.scheduler_address, set_as_default=False) as other, other.as_current():
        ...     get_client() is other
        True
        """
        return current.as_current(self)

    # --- properties ----------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The client's name for the scheduler, which no other client has."""
        return self._core.session.client_id

    @property
    def status(self) -> str:
        """``newly-created``, ``connecting``, ``running``, ``closing`` or ``closed``."""
        return self._core.session.status

    @property
    def asynchronous(self) -> bool:
        """Whether operations return awaitables to this caller, as they do to callers of asynchronous clients."""
        return self._core.asynchronous

    @property
    def direct_to_workers(self) -> bool | None:
        """Whether data travels between client and workers directly; None: where workers can be reached."""
        return self._core.direct

    @property
    def cluster(self) -> Any:
        """The cluster object that the client was given or started; None if it was given an address."""
        return self._lifecycle.cluster

    @property
    def loop(self) -> Any:
        """The event loop on which dagrpc talks to the cluster."""
        return EventLoop(self._core.loop.loop)

    @property
    def scheduler(self) -> SchedulerCalls | Any:
        """The scheduler, with its address and its handlers as methods; None without a connection."""
        # Annotated with Any rather than None: programs need not prove to type checkers that there is a connection.
        session = self._core.session
        if session.status != "running":
            return None
        return SchedulerCalls(
            shown_address(session.address, session.credentials), session.welcome.scheduler_id, lambda: self
        )

    @property
    def futures(self) -> Mapping[Any, KeyState]:
        """The states of the keys that the client holds futures of."""
        self._core.session.drop_released()
        with lock:
            return {state.key: state for state in self._core.table.states.values()}

    @property
    def dashboard_link(self) -> str | None:
        """Link to the scheduler's pages; None if the scheduler serves no HTTP."""
        link = getattr(self.cluster, "dashboard_link", None)
        if link:
            return str(link)
        port = ((self._cluster_info() or {}).get("services") or {}).get("dashboard")
        return dashboard_link(self._core.session.address, port, self._core.cluster_info.http_prefix)

    def _cluster_info(self) -> dict[str, Any] | None:
        """Return facts about the cluster without its workers; fresh ones if the caller may be blocked."""
        core = self._core
        if self.status == "running" and not core.asynchronous:
            with contextlib.suppress(Exception):
                return core.loop.run(core.cluster_info.fetch(0), timeout=2)
        return core.cluster_info.latest(0) if core.cluster_info.is_filled else None

    def __repr__(self) -> str:
        if self.status != "running":
            return f"<{type(self).__name__}: No scheduler connected>"
        info = self._cluster_info()
        rest = f" {html_repr.totals(info)}" if info is not None else ""
        return f"<{type(self).__name__}: {self.scheduler.address!r}{rest}>"

    def _repr_html_(self) -> str:
        info = self._cluster_info() if self.status == "running" else None
        address = self.scheduler.address if self.status == "running" else self._core.session.address
        return html_repr.client(self.id, self.status, address, info, self.dashboard_link)
