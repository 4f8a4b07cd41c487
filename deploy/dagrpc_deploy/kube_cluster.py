"""KubeCluster: a scheduler and workers in pods of a Kubernetes cluster."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagrpc import config
from dagrpc._common.addresses import local_ip
from dagrpc_deploy.kube_api import KubeApi
from dagrpc_deploy.kube_group import KubeGroup
from dagrpc_deploy.kube_manifests import read_template
from dagrpc_deploy.kube_server import KubeScheduler, KubeWorker
from dagrpc_deploy.scheduler_process import SchedulerProcess
from dagrpc_deploy.spec import SpecCluster
from dagrpc_deploy.spec_process import security_for
from dagrpc_deploy.worker_size import nbytes_of

_SCHEDULERS = ("pod", "program")
# Names of pods and services begin with it and are 63 characters long at most.
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
# Set by Kubernetes in every container.
_IN_CLUSTER = "KUBERNETES_SERVICE_HOST"
_SHORTEST_LEASE = 10.0


def KubeCluster(
    n_workers: int = 0,
    image: str = "dagrpc:latest",
    threads_per_worker: int = 1,
    memory_limit: int | str | None = "2 GiB",
    cpus: float | None = None,
    resources: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    namespace: str | None = None,
    service_account: str | None = None,
    pod_template: Mapping[str, Any] | str | Path | None = None,
    scheduler_template: Mapping[str, Any] | str | Path | None = None,
    scheduler: str = "pod",
    port_forward: bool | None = None,
    lease: float | str | None = "5 minutes",
    start_timeout: float | str = "5 minutes",
    node_timeout: float | str = 0,
    worker_class: str = "dagrpc.Worker",
    worker_options: Mapping[str, Any] | None = None,
    scheduler_options: Mapping[str, Any] | None = None,
    kubeconfig: str | None = None,
    context: str | None = None,
    **kwargs: Any,
) -> SpecCluster:
    """Return a cluster of pods on Kubernetes.

    Each server has a pod. A job owns them, so that Kubernetes deletes all of them when the cluster is closed, or once
    the program has not renewed its lease. Needs kr8s: ``pip install dagrpc[kubernetes]``.

    Parameters
    ----------
    n_workers : int
        Number of workers; `SpecCluster.scale` and `SpecCluster.adapt` change it.
    image : str
        The image of all pods, with the same version of dagrpc; ``make image`` builds one.
    threads_per_worker : int
        Threads of each worker.
    memory_limit : int or str, optional
        Memory of each worker's pod, as bytes or a text such as ``"2 GiB"``; None for no limit.
    cpus : float, optional
        Processors that each worker's pod asks for; by default as many as it has threads.
    resources : mapping, optional
        Further resources of each worker's pod: ``{"nvidia.com/gpu": 1}``.
    environment : mapping, optional
        Environment variables of all pods. Others can read them: secrets belong into `security` or a template.
    namespace : str, optional
        By default that of the context, or of the pod that the program runs in.
    service_account : str, optional
        What the pods run as. By default they have no access to the API server.
    pod_template, scheduler_template : mapping, str or Path, optional
        A pod with what its servers need beside the arguments here (node selectors, tolerations, volumes), as a mapping,
        as YAML, or in a file. The server runs in the first container. Without `scheduler_template` the scheduler's pod
        has the defaults.
    scheduler : {"pod", "program"}
        Where the scheduler runs. The one of the program has a process of its own on this machine, which the pods must
        reach: ``scheduler_options={"host": ...}``.
    port_forward : bool, optional
        Connect to the scheduler through the API server. By default if this program does not run in a pod.
    lease : number or str, optional
        The cluster ends if the program has been gone for so long; None: it stays until it is closed.
    start_timeout : number or str
        Time in which a server has to start, with the pulling of its image.
    node_timeout : number or str
        How long a pod may wait for a node. By default a pod that no node takes is an error at once; clusters that add
        nodes need some minutes.
    worker_class : str
        Name of the workers' class.
    worker_options, scheduler_options : mapping, optional
        Options of the workers and of `Scheduler`, which travel as JSON.
    kubeconfig, context : str, optional
        The file with the address of the API server, and which of its contexts; by default those of kubectl.
    **kwargs
        Arguments of `SpecCluster`. ``security=True`` makes temporary certificates, which travel as secrets.

    Raises
    ------
    ImportError
        If kr8s is not installed.
    RuntimeError
        If no API server answers, or a server does not start: with the reason and the events that Kubernetes gives.
    ValueError
        If an argument has none of its values.

    Examples
    --------
    ::

        with KubeCluster(n_workers=4, image="registry.example/dagrpc:1") as cluster, Client(cluster) as client:
            client.submit(sum, [1, 2, 3]).result()
    """
    if scheduler not in _SCHEDULERS:
        raise ValueError(f"scheduler must be one of {', '.join(map(repr, _SCHEDULERS))}; got {scheduler!r}")
    name = kwargs.pop("name", None) or f"dagrpc-{uuid.uuid4().hex[:8]}"
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"The name of a KubeCluster has up to 40 lower-case letters, digits and dashes, and begins with a letter; "
            f"got {name!r}"
        )
    duration = _duration("lease", lease)
    if duration is not None and duration < _SHORTEST_LEASE:
        raise ValueError(f"lease must be at least {_SHORTEST_LEASE:g} s; got {lease!r}")
    security = security_for(kwargs.pop("security", None))
    group = KubeGroup(name, KubeApi(namespace, kubeconfig, context))
    limit = nbytes_of(memory_limit)
    account = (
        {}
        if service_account is None
        else {
            "serviceAccountName": service_account,
            "automountServiceAccountToken": True,
        }
    )
    shared = {
        "group": group,
        "start_timeout": _duration("start_timeout", start_timeout) or 0.0,
        "node_timeout": _duration("node_timeout", node_timeout) or 0.0,
    }
    pod = {"image": image, "environment": dict(environment or {}), "settings": account}
    in_pod = scheduler == "pod"
    roles = ("scheduler", "worker") if in_pod else ("worker",)
    securities = {} if security is None else {role: security.fields_for(role) for role in roles}

    def secret_of(role: str) -> str | None:
        return f"{name}-{role}" if role in securities else None

    if in_pod:
        scheduler_spec: dict[str, Any] = {
            "cls": KubeScheduler,
            "options": {
                **shared,
                "options": dict(scheduler_options or {}),
                "securities": securities,
                "port_forward": _IN_CLUSTER not in os.environ if port_forward is None else port_forward,
                "lease": duration,
                "pod": {
                    **pod,
                    "template": read_template(scheduler_template),
                    "resources": {},
                    "secret": secret_of("scheduler"),
                },
            },
        }
    else:
        options = {"host": local_ip(), **(scheduler_options or {})}
        scheduler_spec = {
            "cls": SchedulerProcess,
            "options": {**options, **({} if security is None else {"security": security})},
        }
    worker = {
        "cls": KubeWorker,
        "options": {
            **shared,
            "worker_class": worker_class,
            "options": {
                "nthreads": threads_per_worker,
                **({} if limit is None else {"memory_limit": int(limit)}),
                **(worker_options or {}),
            },
            "pod": {
                **pod,
                "template": read_template(pod_template),
                "resources": _resources(cpus or threads_per_worker, limit, resources),
                "secret": secret_of("worker"),
            },
        },
    }
    return SpecCluster(
        workers=dict.fromkeys(range(n_workers), worker),
        scheduler=scheduler_spec,
        worker=worker,
        security=security,
        name=name,
        **kwargs,
    )


def _resources(cpus: float, memory: float | None, more: Mapping[str, Any] | None) -> dict[str, dict[str, str]]:
    """Return the requests and limits of a worker's pod. Processors have no limit: idle ones of the node are of use."""
    fixed = {**({} if memory is None else {"memory": str(int(memory))})}
    fixed |= {key: str(value) for key, value in (more or {}).items()}
    return {"requests": {"cpu": f"{round(cpus * 1000)}m", **fixed}, "limits": fixed}


def _duration(name: str, given: float | str | None) -> float | None:
    try:
        return config.seconds(given)
    except (ValueError, KeyError):
        raise ValueError(f"{name} must be a number of seconds or a text such as '5 minutes'; got {given!r}") from None
