"""Servers that the command `dagrpc spec` runs in a container, for `DockerCluster`."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dagrpc_deploy.spec_process import Running, SpecProcess

logger = logging.getLogger("dagrpc.deploy")

CLUSTER_LABEL = "dagrpc.cluster"
ROLE_LABEL = "dagrpc.role"
SCHEDULER_PORT = 8786
_STDERR = 2
_KILLED = 137
# A network without containers that is older than this belongs to a program that was killed.
_STALE_NETWORK = "10m"
# The status with which the engine refuses to remove a network that still has containers, and how long to wait for them.
_IN_USE = 403
_DETACH_LIMIT = 15.0
_DETACH_POLL = 0.2


def docker_sdk() -> Any:
    """Return the docker package; raise ImportError if it is not installed."""
    try:
        return importlib.import_module("docker")
    except ImportError:
        raise ImportError("DockerCluster needs the Docker SDK: pip install dagrpc[docker]") from None


def connect(engine: Mapping[str, Any]) -> Any:
    """Return a client of the Docker engine; raise RuntimeError if no engine answers."""
    docker = docker_sdk()
    try:
        client = docker.DockerClient(**engine) if engine else docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        where = engine.get("base_url", "the engine that DOCKER_HOST names, or the local one")
        raise RuntimeError(f"No Docker engine answers ({where}): {error}") from error
    return client


class _Input:
    """The standard input of a container, with the methods of a `StreamWriter`."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._pending: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._pending.append(data)

    async def drain(self) -> None:
        data, self._pending = b"".join(self._pending), []
        await asyncio.to_thread(self._socket.sendall, data)

    def write_eof(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)


class Container:
    """A container that runs, with the interface of an asyncio subprocess.

    The engine closes the container's standard input when the connection of this object breaks, so the servers in it end
    with the program even if the program is killed; the engine then removes the container.
    """

    def __init__(self, client: Any, container_id: str) -> None:
        self._client = client
        self.id = container_id
        self._loop = asyncio.get_running_loop()
        self.stdout = asyncio.StreamReader()
        self.stderr = asyncio.StreamReader()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        stream = client.api.attach_socket(container_id, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        self._socket = getattr(stream, "_sock", stream)
        # The SDK's timeout is one of requests; a container may be silent for days.
        self._socket.settimeout(None)
        self.stdin = _Input(self._socket)
        threading.Thread(target=self._read, args=(stream,), name="dagrpc-container-output", daemon=True).start()
        threading.Thread(target=self._await_exit, name="dagrpc-container-exit", daemon=True).start()

    def _read(self, stream: Any) -> None:
        with contextlib.suppress(OSError, ValueError):
            for kind, data in importlib.import_module("docker.utils.socket").frames_iter(stream, tty=False):
                self._call(self.stderr.feed_data if kind == _STDERR else self.stdout.feed_data, data)
        self._call(self.stdout.feed_eof)
        self._call(self.stderr.feed_eof)

    def _await_exit(self) -> None:
        code = -1
        # The container is removed as soon as it ends, or the engine may be gone.
        with contextlib.suppress(Exception):
            code = self._client.api.wait(self.id, timeout=None, condition="removed")["StatusCode"]
        self._call(self._end, code)

    def _end(self, code: int) -> None:
        if not self._ended.done():
            self._ended.set_result(code)

    def _call(self, function: Callable[..., object], *args: Any) -> None:
        # The loop is closed when the program ends.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *args)

    async def wait(self) -> int:
        """Wait for the end of the container, and return its exit code."""
        return await asyncio.shield(self._ended)

    def terminate(self) -> None:
        """Ask the servers to end."""
        self._signal("SIGTERM")

    def kill(self) -> None:
        """Kill the servers."""
        self._signal("SIGKILL")

    def _signal(self, name: str) -> None:
        def send() -> None:
            # The container may have ended by itself.
            with contextlib.suppress(Exception):
                self._client.api.kill(self.id, name)

        self._loop.run_in_executor(None, send)


class DockerProcess(SpecProcess):
    """Servers in a container.

    `container` has the arguments of the SDK's ``create_host_config``, and ``environment`` and ``labels``. `engine` has
    the arguments of ``docker.DockerClient``.
    """

    role = "worker"

    def __init__(
        self,
        cluster: str,
        image: str,
        network: str,
        specs: Mapping[str, Mapping[str, Any]],
        container: Mapping[str, Any],
        engine: Mapping[str, Any],
        scheduler: str | None = None,
        name: Any = None,
        security: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(specs, scheduler, name, security)
        self._cluster = cluster
        self._image = image
        self._network = network
        self._container = dict(container)
        self._engine = dict(engine)
        self._client: Any = None
        self.container_name = f"{cluster}-{self.role if name is None else name}"

    async def _open(self, arguments: Sequence[str], environ: Mapping[str, str]) -> Running:
        self._client = await asyncio.to_thread(connect, self._engine)
        container_id = await asyncio.to_thread(self._create, arguments, environ)
        running = await self._attach(container_id)
        try:
            await asyncio.to_thread(self._client.api.start, container_id)
        except BaseException as error:
            # A container that never ran is not removed by the engine.
            await asyncio.to_thread(self._remove, container_id)
            if isinstance(error, Exception):
                raise RuntimeError(f"{self} cannot start: {_explanation(error)}") from error
            raise
        return running

    async def _attach(self, container_id: str) -> Container:
        # The attached socket exists before the start, so no line of output is missed.
        try:
            return Container(self._client, container_id)
        except BaseException:
            await asyncio.to_thread(self._remove, container_id)
            raise

    def _create(self, arguments: Sequence[str], environ: Mapping[str, str]) -> str:
        api = self._client.api
        options = dict(self._container)
        environment = {**options.pop("environment", {}), **environ}
        labels = {**options.pop("labels", {}), CLUSTER_LABEL: self._cluster, ROLE_LABEL: self.role}
        ports = list(options.get("port_bindings") or ())
        try:
            created = api.create_container(
                self._image,
                command=list(arguments),
                entrypoint=["python"],
                name=self.container_name,
                environment=environment,
                labels=labels,
                ports=ports,
                # Results that do not fit into memory go to a volume on disk, which goes with the container.
                volumes=["/tmp"],
                stdin_open=True,
                networking_config=api.create_networking_config({self._network: api.create_endpoint_config()}),
                host_config=api.create_host_config(network_mode=self._network, **options),
            )
        except docker_sdk().errors.APIError as error:
            raise RuntimeError(f"{self} cannot be made: {_explanation(error)}") from error
        return str(created["Id"])

    def _remove(self, container_id: str) -> None:
        with contextlib.suppress(Exception):
            self._client.api.remove_container(container_id, v=True, force=True)

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)

    def _end_reason(self, code: Any) -> str:
        if code == _KILLED:
            return " (exit code 137: it was killed, by the kernel if it went over its memory limit)"
        return f" (exit code {code})" if isinstance(code, int) and code >= 0 else ""

    def _where(self) -> str:
        return f"the container {self.container_name}"


class DockerScheduler(DockerProcess):
    """A scheduler in a container, and the network of its cluster. `options` go to `Scheduler`."""

    role = "scheduler"

    def __init__(self, options: Mapping[str, Any], own_network: bool, **kwargs: Any) -> None:
        spec = {"cls": "dagrpc.Scheduler", "opts": {"host": "0.0.0.0", "port": SCHEDULER_PORT, **options}}
        super().__init__(specs={"": spec}, **kwargs)
        self._own_network = own_network
        self._made_network = False

    async def _open(self, arguments: Sequence[str], environ: Mapping[str, str]) -> Running:
        if self._own_network:
            await asyncio.to_thread(self._make_network)
        return await super()._open(arguments, environ)

    async def start(self) -> None:
        """Start the scheduler; learn its address in the network, and the published one for clients outside of it."""
        await super().start()
        running = self._process
        assert isinstance(running, Container)
        found = await asyncio.to_thread(self._client.api.inspect_container, running.id)
        settings = found["NetworkSettings"]
        port = int((self.address or "").rpartition(":")[2])
        self.address = f"{settings['Networks'][self._network]['IPAddress']}:{port}"
        published = (settings.get("Ports") or {}).get(f"{port}/tcp")
        if published:
            host = published[0]["HostIp"]
            self.external_address = f"{'127.0.0.1' if host in ('', '0.0.0.0') else host}:{published[0]['HostPort']}"

    def _make_network(self) -> None:
        client = connect(self._engine)
        try:
            client.networks.prune(filters={"label": CLUSTER_LABEL, "until": _STALE_NETWORK})
            client.networks.create(self._network, driver="bridge", labels={CLUSTER_LABEL: self._cluster})
            self._made_network = True
        finally:
            client.close()

    async def _disconnect(self) -> None:
        if self._made_network:
            self._made_network = False
            await asyncio.to_thread(self._remove_network)
        await super()._disconnect()

    def _remove_network(self) -> None:
        try:
            client = connect(self._engine)
        except RuntimeError as error:
            logger.warning("The network %s is left behind: %s", self._network, error)
            return
        try:
            remove_when_unused(client, self._network)
        except Exception as error:
            logger.warning("The network %s is left behind: %s", self._network, _explanation(error))
        finally:
            client.close()


def remove_when_unused(client: Any, network: str) -> None:
    """Remove a network, at most some seconds after its last container: the engine detaches containers as they end."""
    deadline = time.monotonic() + _DETACH_LIMIT
    while True:
        try:
            client.networks.get(network).remove()
            return
        except docker_sdk().errors.APIError as error:
            if error.status_code != _IN_USE or time.monotonic() > deadline:
                raise
        time.sleep(_DETACH_POLL)


class DockerWorker(DockerProcess):
    """A worker, or a nanny with its worker, in a container. `options` go to the class."""

    def __init__(
        self, scheduler: str, worker_class: str, options: Mapping[str, Any], name: Any = None, **kwargs: Any
    ) -> None:
        spec = {"cls": worker_class, "opts": {"name": str(name), **options}}
        super().__init__(specs={"": spec}, scheduler=scheduler, name=name, **kwargs)


def _explanation(error: BaseException) -> str:
    """Return the engine's own words for an error."""
    return str(getattr(error, "explanation", None) or error)
