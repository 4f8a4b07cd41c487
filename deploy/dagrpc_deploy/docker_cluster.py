"""DockerCluster: a scheduler and workers in containers of a Docker engine."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from dagrpc_deploy.docker_process import SCHEDULER_PORT, DockerScheduler, DockerWorker, connect, docker_sdk
from dagrpc_deploy.spec import SpecCluster
from dagrpc_deploy.spec_process import security_for
from dagrpc_deploy.worker_size import nbytes_of

# The containers need nothing of their host: no capability, no other user, no file of the image to write to.
_HARDENED = {
    "init": True,
    "auto_remove": True,
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
}
_PULL = ("missing", "always", "never")
_NANOSECONDS = 1_000_000_000


def DockerCluster(
    n_workers: int = 0,
    image: str = "dagrpc:latest",
    threads_per_worker: int = 1,
    memory_limit: int | str | None = "2 GiB",
    cpus: float | None = None,
    environment: Mapping[str, str] | None = None,
    volumes: Mapping[str, Mapping[str, str]] | None = None,
    network: str | None = None,
    publish: bool = True,
    pull: str = "missing",
    worker_class: str = "dagrpc.Worker",
    worker_options: Mapping[str, Any] | None = None,
    scheduler_options: Mapping[str, Any] | None = None,
    container_options: Mapping[str, Any] | None = None,
    engine: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> SpecCluster:
    """Return a cluster of containers on a Docker engine.

    Each server has a container. The engine removes the containers when the cluster is closed or the program ends, even
    if the program is killed: their standard input is connected to the program, and they end with it. Needs the Docker
    SDK: ``pip install dagrpc[docker]``.

    Parameters
    ----------
    n_workers : int
        Number of workers; `SpecCluster.scale` and `SpecCluster.adapt` change it.
    image : str
        The image of all containers, with the same version of dagrpc; ``make image`` builds one.
    threads_per_worker : int
        Threads of each worker.
    memory_limit : int or str, optional
        Memory of each worker's container, as bytes or a text such as ``"2 GiB"``; None for no limit.
    cpus : float, optional
        Processors of each worker's container; by default as many as it has threads.
    environment : mapping, optional
        Environment variables of all containers. Others can read them: secrets belong into `security`.
    volumes : mapping, optional
        What the workers' containers see of the host: ``{"/data": {"bind": "/data", "mode": "ro"}}``.
    network : str, optional
        An existing network of the engine; by default a new one, which goes with the cluster.
    publish : bool
        Publish the scheduler's port on the loopback address of the engine's host, for clients there. A program that
        runs in `network` itself needs no published port.
    pull : {"missing", "always", "never"}
        When to pull the image.
    worker_class : str
        Name of the workers' class.
    worker_options, scheduler_options : mapping, optional
        Options of the workers and of `Scheduler`, which travel as JSON.
    container_options : mapping, optional
        Further arguments of the SDK's ``create_host_config`` for the workers' containers, such as ``device_requests``.
    engine : mapping, optional
        Arguments of ``docker.DockerClient``; by default the engine that ``DOCKER_HOST`` names, or the local one.
    **kwargs
        Arguments of `SpecCluster`. ``security=True`` makes temporary certificates, which travel over the containers'
        standard input.

    Raises
    ------
    ImportError
        If the Docker SDK is not installed.
    RuntimeError
        If no engine answers, the image is missing, or a server does not start.
    ValueError
        If `pull` is none of its values.

    Examples
    --------
    ::

        with DockerCluster(n_workers=4, image="dagrpc:latest") as cluster, Client(cluster) as client:
            client.submit(sum, [1, 2, 3]).result()
    """
    if pull not in _PULL:
        raise ValueError(f"pull must be one of {', '.join(map(repr, _PULL))}; got {pull!r}")
    engine = dict(engine or {})
    _prepare_image(image, pull, engine)
    name = kwargs.pop("name", None) or f"dagrpc-{uuid.uuid4().hex[:8]}"
    security = security_for(kwargs.pop("security", None))
    shared = {"cluster": name, "image": image, "network": network or name, "engine": engine}
    scheduler = {
        "cls": DockerScheduler,
        "options": {
            **shared,
            **({} if security is None else {"security": security.fields_for("scheduler")}),
            "own_network": network is None,
            "options": dict(scheduler_options or {}),
            "container": {
                **_HARDENED,
                "environment": dict(environment or {}),
                **({"port_bindings": {_port(scheduler_options): ("127.0.0.1", None)}} if publish else {}),
            },
        },
    }
    limit = nbytes_of(memory_limit)
    worker = {
        "cls": DockerWorker,
        "options": {
            **shared,
            **({} if security is None else {"security": security.fields_for("worker")}),
            "worker_class": worker_class,
            "options": {
                "nthreads": threads_per_worker,
                **({} if limit is None else {"memory_limit": int(limit)}),
                **(worker_options or {}),
            },
            "container": {
                **_HARDENED,
                "environment": dict(environment or {}),
                "nano_cpus": int((cpus or threads_per_worker) * _NANOSECONDS),
                **({} if limit is None else {"mem_limit": int(limit)}),
                **({} if volumes is None else {"binds": dict(volumes)}),
                **(container_options or {}),
            },
        },
    }
    return SpecCluster(
        workers=dict.fromkeys(range(n_workers), worker),
        scheduler=scheduler,
        worker=worker,
        security=security,
        name=name,
        **kwargs,
    )


def _port(scheduler_options: Mapping[str, Any] | None) -> int:
    return int((scheduler_options or {}).get("port") or SCHEDULER_PORT)


def _prepare_image(image: str, pull: str, engine: Mapping[str, Any]) -> None:
    """Pull the image if it is wanted; raise RuntimeError if the engine does not have it afterwards."""
    client = connect(engine)
    errors = docker_sdk().errors
    try:
        if pull != "always":
            try:
                client.images.get(image)
                return
            except errors.ImageNotFound:
                if pull == "never":
                    raise RuntimeError(
                        f"The Docker engine has no image {image!r}: build it (make image) or let it be pulled"
                    ) from None
        try:
            client.images.pull(image)
        except errors.APIError as error:
            raise RuntimeError(
                f"The image {image!r} cannot be pulled: {error.explanation or error}; build it with: make image"
            ) from error
    finally:
        client.close()
