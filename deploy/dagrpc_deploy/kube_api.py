"""The calls that `KubeCluster` makes of a Kubernetes API server, in one namespace."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

CORE = "v1"
BATCH = "batch/v1"
_NOT_FOUND = 404
_CALL_LIMIT = 30.0


class KubeError(RuntimeError):
    """The API server does not answer, or refuses a request."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class KubeApi:
    """A connection to an API server, opened by the first call. On dagrpc's event loop only.

    Parameters
    ----------
    namespace : str, optional
        By default that of the context, or of the pod that this program runs in.
    kubeconfig, context : str, optional
        The file with the address of the server, and which of its contexts; by default kubectl's, or the service account
        of the pod that this program runs in.
    """

    def __init__(self, namespace: str | None, kubeconfig: str | None, context: str | None) -> None:
        self._given = {"namespace": namespace, "kubeconfig": kubeconfig, "context": context}
        self._api: Any = None
        self._kr8s = kr8s_package()

    async def open(self) -> str:
        """Connect, and return the namespace; raise `KubeError` if there is no API server."""
        if self._api is None:
            try:
                api = await self._kr8s.asyncio.api(**self._given)
            except Exception as error:  # kr8s and httpx have many kinds
                raise KubeError(f"No Kubernetes API server answers: {error or type(error).__name__}") from error
            api.timeout = _CALL_LIMIT
            self._api = api
        return self.namespace

    @property
    def namespace(self) -> str:
        """The namespace, once there is a connection."""
        return str(self._given["namespace"] or self._api.namespace or "default")

    @contextlib.asynccontextmanager
    async def _call(self, method: str, version: str, url: str, **options: Any) -> AsyncIterator[Any]:
        await self.open()
        try:
            async with self._api.call_api(
                method, version=version, namespace=self.namespace, url=url, **options
            ) as answer:
                yield answer
        except self._kr8s.ServerError as error:
            status = getattr(error.response, "status_code", None)
            raise KubeError(f"{error} ({method} {url} in the namespace {self.namespace})", status) from error
        except Exception as error:
            if isinstance(error, KubeError):
                raise
            reason = str(error) or type(error).__name__
            raise KubeError(f"The Kubernetes API server did not answer to {method} {url}: {reason}") from error

    async def create(self, version: str, kind: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object of a kind (as in ``pods``), and return it."""
        async with self._call("POST", version, kind, content=json.dumps(manifest)) as answer:
            return dict(answer.json())

    async def get(self, version: str, kind: str, name: str) -> dict[str, Any] | None:
        """Return an object, or None if there is none."""
        try:
            async with self._call("GET", version, f"{kind}/{name}") as answer:
                return dict(answer.json())
        except KubeError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def delete(self, version: str, kind: str, name: str, **options: Any) -> None:
        """Delete an object and what it owns, if it is there. `options` are those of the API, such as a grace period."""
        body = json.dumps({"propagationPolicy": "Background", **options})
        try:
            async with self._call("DELETE", version, f"{kind}/{name}", content=body):
                pass
        except KubeError as error:
            if error.status != _NOT_FOUND:
                raise

    async def annotate(self, pod: str, name: str, value: str) -> None:
        """Set an annotation of a pod."""
        patch = json.dumps({"metadata": {"annotations": {name: value}}})
        headers = {"Content-Type": "application/merge-patch+json"}
        async with self._call("PATCH", CORE, f"pods/{pod}", content=patch, headers=headers):
            pass

    async def pods(self, selector: str) -> list[dict[str, Any]]:
        """Return the pods with labels."""
        async with self._call("GET", CORE, "pods", params={"labelSelector": selector}) as answer:
            return list(answer.json()["items"])

    async def log(self, pod: str, lines: int) -> str:
        """Return the last lines of a pod's log; nothing if it has none yet."""
        try:
            async with self._call("GET", CORE, f"pods/{pod}/log", params={"tailLines": lines}) as answer:
                return str(answer.text)
        except KubeError:
            # Its container has not started, or is gone.
            return ""

    async def warnings(self, pod: str) -> list[str]:
        """Return the texts of the warnings about a pod, each once; none where events may not be read."""
        params = {"fieldSelector": f"involvedObject.name={pod},type=Warning"}
        try:
            async with self._call("GET", CORE, "events", params=params) as answer:
                found = answer.json()["items"]
        except KubeError:
            return []
        return list(dict.fromkeys(f"{event.get('reason')}: {event.get('message')}" for event in found))

    async def forward(self, pod: str, port: int) -> tuple[int, Any]:
        """Forward a free local port to a port of a pod; return it and an object with a coroutine function ``stop``."""
        await self.open()
        resource = self._kr8s.asyncio.objects.Pod(
            {"metadata": {"name": pod, "namespace": self.namespace}}, namespace=self.namespace, api=self._api
        )
        forward = self._kr8s.asyncio.portforward.PortForward(resource, port, local_port="auto")
        return int(await forward.start()), forward


def kr8s_package() -> Any:
    """Return the package kr8s; raise ImportError if it is not installed."""
    try:
        for module in ("kr8s.asyncio.objects", "kr8s.asyncio.portforward"):
            importlib.import_module(module)
        return importlib.import_module("kr8s")
    except ImportError:
        raise ImportError("KubeCluster needs kr8s: pip install dagrpc[kubernetes]") from None
