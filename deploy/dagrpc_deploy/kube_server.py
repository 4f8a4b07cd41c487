"""Servers that the command `dagrpc spec` runs in pods, for `KubeCluster`."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import re
import time
from collections.abc import Mapping
from typing import Any

import dask.config

from dagrpc._common.server_status import Status
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc_deploy import kube_manifests as manifests
from dagrpc_deploy.kube_api import BATCH, CORE, KubeError
from dagrpc_deploy.kube_failures import has_ended, is_running, why_ended, why_stuck, why_unschedulable
from dagrpc_deploy.kube_group import KubeGroup
from dagrpc_deploy.process_interface import ProcessInterface
from dagrpc_deploy.spec_process import settings_for_servers

logger = logging.getLogger("dagrpc.deploy")

_AT = re.compile(r"^\w+ at: (\S+)\s*$", re.MULTILINE)
_LAST_WORDS = 20
_RENEWALS = 5
_EVENT_LIMIT = 5


class KubeServer(ProcessInterface):
    """A server in a pod.

    `pod` has arguments of `kube_manifests.pod`. `start_timeout` is the time in which the server has to serve, and
    `node_timeout` how long its pod may wait for a node, in seconds.
    """

    role = "worker"

    def __init__(
        self,
        group: KubeGroup,
        spec: Mapping[str, Any],
        pod: Mapping[str, Any],
        start_timeout: float,
        node_timeout: float,
        scheduler: str | None = None,
        name: Any = None,
    ) -> None:
        super().__init__(scheduler, name)
        self._group = group
        self._spec = dict(spec)
        self._pod = dict(pod)
        self._start_timeout, self._node_timeout = start_timeout, node_timeout
        self._tasks: set[asyncio.Task[Any]] = set()
        self.pod_name = ""
        """The name of the pod, once there is one."""

    def _template(self) -> dict[str, Any]:
        arguments = ["--spec", json.dumps(self._spec), *((self.scheduler,) if self.scheduler else ())]
        given = dict(self._pod)
        environment = {
            **given.pop("environment", {}),
            "DASK_INTERNAL_INHERIT_CONFIG": dask.config.serialize(settings_for_servers()),
        }
        return manifests.pod(self.role, self._group.cluster, arguments=arguments, environment=environment, **given)

    async def _create(self) -> None:
        """Create the pod, and set `pod_name` unless it has to be looked for."""
        raise NotImplementedError

    async def _delete(self) -> None:
        """Delete what `_create` has made."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start the server, and wait until it serves; raise RuntimeError with what Kubernetes says if it does not."""
        try:
            async with asyncio.timeout(self._start_timeout):
                await self._create()
                self.address = await self._await_address()
        except TimeoutError:
            last = await self._last_words()
            await self._end()
            raise RuntimeError(f"{self} did not start within {self._start_timeout:g} s{last}") from None
        except BaseException:
            await self._end()
            raise
        spawn(self._watch(), self._tasks)
        await super().start()

    async def _await_address(self) -> str:
        began, seen = time.monotonic(), False
        while True:
            pod = self._own(await self._group.pods())
            if pod is None:
                if seen:
                    raise RuntimeError(f"{self} was deleted while it started")
                continue
            seen = True
            self.pod_name = pod["metadata"]["name"]
            if reason := why_stuck(pod):
                raise RuntimeError(f"{self} cannot start: {reason}{await self._events()}")
            reason = why_unschedulable(pod)
            if reason and time.monotonic() - began >= self._node_timeout:
                raise RuntimeError(f"{self} finds no node: {reason}{await self._events()}")
            if is_running(pod) and (found := _AT.search(await self._group.api.log(self.pod_name, _LAST_WORDS))):
                return found.group(1)
            if has_ended(pod):
                raise RuntimeError(f"{self} ended while it started ({why_ended(pod)}){await self._last_words()}")

    def _own(self, pods: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Return the pod of this server."""
        for pod in pods:
            metadata = pod["metadata"]
            if self.pod_name:
                if metadata["name"] == self.pod_name:
                    return pod
            elif metadata["labels"].get(manifests.ROLE_LABEL) == self.role:
                return pod
        return None

    async def _events(self) -> str:
        """Return what the events about the pod say that its status does not."""
        # An event may come a moment after the status that it explains.
        warnings = await self._group.api.warnings(self.pod_name)
        return f". Events: {' | '.join(warnings[-_EVENT_LIMIT:])}" if warnings else ""

    async def _last_words(self) -> str:
        if not self.pod_name:
            return ""
        lines = (await self._group.api.log(self.pod_name, _LAST_WORDS)).splitlines()
        return f": {' | '.join(lines)}" if lines else await self._events()

    async def _watch(self) -> None:
        """Notice the end of the pod."""
        trouble = False
        while True:
            try:
                pod = self._own(await self._group.pods())
            except KubeError as error:
                # The server runs on while the API server is away.
                (logger.debug if trouble else logger.warning)("%s cannot be watched: %s", self, error)
                trouble = True
                continue
            trouble = False
            if pod is None or has_ended(pod):
                break
        if self.status is not Status.running:
            return
        reason = "its pod was deleted" if pod is None else why_ended(pod)
        if pod is not None and pod["status"]["phase"] == "Succeeded":
            logger.info("%s has ended", self)
        else:
            logger.warning("%s has ended (%s)%s", self, reason, await self._last_words() if pod else "")
        self.status = Status.failed
        self._event_finished.set()

    async def close(self, timeout: float | None = None) -> None:
        """End the server, and delete its pod."""
        if self.status is not Status.closed:
            self.status = Status.closing
            await self._end()
        await super().close()

    async def _end(self) -> None:
        await cancel_all(self._tasks)
        try:
            await self._delete()
        except KubeError as error:
            logger.warning("%s may be left behind: %s", self, error)

    def __str__(self) -> str:
        kind = str(self._spec["cls"]).rpartition(".")[2]
        where = f"the pod {self.pod_name}" if self.pod_name else f"a pod of {self._group.cluster}"
        return f"{kind}{'' if self.name is None else f' {self.name}'} in {where}"


class KubeScheduler(KubeServer):
    """A scheduler in a pod, and the service of its name. `securities` has the fields of a `Security` by role."""

    role = "scheduler"

    def __init__(
        self,
        options: Mapping[str, Any],
        securities: Mapping[str, Mapping[str, Any]],
        port_forward: bool,
        lease: float | None,
        **kwargs: Any,
    ) -> None:
        spec = {"cls": "dagrpc.Scheduler", "opts": {"host": "0.0.0.0", "port": manifests.SCHEDULER_PORT, **options}}
        super().__init__(spec=spec, **kwargs)
        self._pod["lease"] = lease
        self._securities = dict(securities)
        self._port_forward = port_forward
        self._lease = lease
        self._forward: Any = None

    async def _create(self) -> None:
        api, cluster = self._group.api, self._group.cluster
        namespace = await api.open()
        job = await api.create(BATCH, "jobs", manifests.scheduler_job(cluster, self._template()))
        owner = self._group.owner = manifests.owner_of({"apiVersion": BATCH, "kind": "Job", **job})
        for role, fields in self._securities.items():
            await api.create(CORE, "secrets", manifests.security_secret(f"{cluster}-{role}", cluster, fields, owner))
        await api.create(CORE, "services", manifests.service(cluster, owner))
        # For a program in the cluster, perhaps in another namespace.
        self.external_address = f"{cluster}.{namespace}:{manifests.SCHEDULER_PORT}"

    async def start(self) -> None:
        """Start the scheduler; learn its address in the cluster, and a forwarded one on this machine."""
        await super().start()
        try:
            # The short name, which pods of the namespace find first.
            self.address = f"{self._group.cluster}:{manifests.SCHEDULER_PORT}"
            if self._port_forward:
                port, self._forward = await self._group.api.forward(self.pod_name, manifests.SCHEDULER_PORT)
                self.external_address = f"127.0.0.1:{port}"
            if self._lease is not None:
                spawn(self._renew(self._lease), self._tasks)
        except BaseException:
            await self._end()
            raise

    async def _renew(self, lease: float) -> None:
        """Show the scheduler that this program lives."""
        while True:
            now = datetime.datetime.now(datetime.UTC).isoformat()
            try:
                await self._group.api.annotate(self.pod_name, manifests.RENEWED, now)
            except KubeError as error:
                logger.warning("The lease of %s was not renewed: %s", self._group.cluster, error)
            await asyncio.sleep(lease / _RENEWALS)

    async def _delete(self) -> None:
        forward, self._forward = self._forward, None
        if forward is not None:
            await forward.stop()
        # Kubernetes deletes what the job owns after it.
        await self._group.api.delete(BATCH, "jobs", self._group.cluster)


class KubeWorker(KubeServer):
    """A worker, or a nanny with its worker, in a pod. `options` go to the class."""

    def __init__(
        self, scheduler: str, worker_class: str, options: Mapping[str, Any], name: Any = None, **kwargs: Any
    ) -> None:
        spec = {"cls": worker_class, "opts": {"name": str(name), **options}}
        super().__init__(spec=spec, scheduler=scheduler, name=name, **kwargs)

    async def _create(self) -> None:
        group = self._group
        shown = re.sub(r"[^a-z0-9]+", "-", str(self.name).lower()).strip("-")
        # The name of a worker comes back when it is replaced, that of a pod does not.
        pod = manifests.worker_pod(self._template(), f"{group.cluster}-worker-{shown}-", group.owner)
        self.pod_name = (await group.api.create(CORE, "pods", pod))["metadata"]["name"]

    async def _delete(self) -> None:
        if self.pod_name:
            await self._group.api.delete(CORE, "pods", self.pod_name)
