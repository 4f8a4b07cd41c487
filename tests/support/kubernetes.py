"""The manifests on a Kubernetes that the environment names, in a namespace that goes with the test.

`DAGRPC_TEST_KUBECONFIG` names the file with its address and a right to make namespaces: a test never writes to the
cluster of somebody's own configuration. `make test-kubernetes` sets it from `KUBECONFIG`. Images are built on the local
Docker engine, where the cluster's node must find them; `DAGRPC_TEST_IMAGE` names one that the cluster has.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.support.docker_engine import BASE_IMAGE, ROOT, missing_for_image, run, succeeds
from tests.support.waiting import eventually

_CONFIGURATION = "DAGRPC_TEST_KUBECONFIG"
_IMAGE = "DAGRPC_TEST_IMAGE"
# The first minor version with gRPC probes.
_GRPC_PROBES = 24
# From this one on tokens of service accounts are made on request.
_MADE_TOKENS = 24
_WAIT = 300


def kubeconfig() -> str:
    """Return the file with the address of the cluster for tests; empty if none is named."""
    return os.environ.get(_CONFIGURATION, "")


def missing_for_kubernetes() -> str:
    """Return what this machine lacks to try the manifests; nothing if it has all."""
    if not kubeconfig():
        return f"{_CONFIGURATION} names no Kubernetes cluster for tests"
    if shutil.which("kubectl") is None:
        return "there is a Kubernetes cluster, but no `kubectl`"
    if not succeeds("kubectl", "--kubeconfig", kubeconfig(), "get", "--raw", "/readyz"):
        return f"the Kubernetes cluster of {kubeconfig()} does not answer"
    return "" if os.environ.get(_IMAGE) else missing_for_image()


@contextlib.contextmanager
def image_for_tests() -> Iterator[str]:
    """Give an image of the checkout that the cluster's node has."""
    if given := os.environ.get(_IMAGE):
        yield given
        return
    name = f"dagrpc-test-{uuid.uuid4().hex[:8]}:latest"
    run("make", f"IMAGE={name}", f"BASE_IMAGE={BASE_IMAGE}", "image", timeout=900)
    try:
        yield name
    finally:
        subprocess.run(["docker", "image", "rm", "--force", name], capture_output=True, timeout=60, check=False)


class Namespace(NamedTuple):
    """A namespace of the cluster."""

    name: str

    def kubectl(self, *arguments: str, timeout: float = 600) -> str:
        """Run kubectl in the namespace and return what it printed."""
        return run("kubectl", "--kubeconfig", kubeconfig(), "--namespace", self.name, *arguments, timeout=timeout)

    def objects(self, kind: str, selector: str = "") -> list[Any]:
        """Return the objects of a kind."""
        found = json.loads(self.kubectl("get", kind, "--selector", selector, "--output", "json"))
        return list(found["items"])

    def pods(self, component: str) -> list[str]:
        """Return the names of the pods of a component that are not about to end."""
        found = self.objects("pods", f"app.kubernetes.io/component={component}")
        return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def scale(self, workers: int) -> None:
        """Scale the workers, and wait until their pods are ready."""
        self.kubectl("scale", "deployment/dagrpc-worker", f"--replicas={workers}")
        self.await_rollout("worker")

    def await_rollout(self, component: str) -> None:
        """Wait until all pods of a component are those of its deployment, and ready."""
        self.kubectl("rollout", "status", f"deployment/dagrpc-{component}", f"--timeout={_WAIT}s", timeout=_WAIT + 60)

    def kubeconfig_of(self, account: str) -> dict[str, Any]:
        """Return a configuration for a service account of the namespace."""
        if minor_version() >= _MADE_TOKENS:
            token = self.kubectl("create", "token", account).strip()
        else:
            secrets = eventually(lambda: self._tokens_of(account))
            token = base64.b64decode(secrets[0]["data"]["token"]).decode()
        found = json.loads(self.kubectl("config", "view", "--raw", "--minify", "--output", "json"))
        return found | {"users": [{"name": found["users"][0]["name"], "user": {"token": token}}]}

    def _tokens_of(self, account: str) -> list[Any]:
        annotation = "kubernetes.io/service-account.name"
        found = [each for each in self.objects("secrets") if "token" in each.get("data", {})]
        return [each for each in found if each["metadata"].get("annotations", {}).get(annotation) == account]

    def scheduler_address(self) -> str:
        """Return the address of the scheduler's service, which this machine reaches if it is a node."""
        (service,) = self.objects("services", "app.kubernetes.io/component=scheduler")
        return f"{service['spec']['clusterIP']}:8786"


@contextlib.contextmanager
def namespace() -> Iterator[Namespace]:
    """Give the name of a namespace that is deleted afterwards with all that is in it."""
    found = Namespace(f"dagrpc-test-{uuid.uuid4().hex[:8]}")
    try:
        yield found
    finally:
        found.kubectl("delete", "namespace", found.name, "--ignore-not-found", f"--timeout={_WAIT}s")


@functools.cache
def minor_version() -> int:
    """Return the minor version of the cluster."""
    told = json.loads(run("kubectl", "--kubeconfig", kubeconfig(), "get", "--raw", "/version"))
    return int(told["minor"].rstrip("+"))


@contextlib.contextmanager
def applied(image: str, folder: Path) -> Iterator[Namespace]:
    """Apply the manifests, with requests that fit on a small node; afterwards nothing of them is left."""
    with namespace() as found:
        _write_kustomization(found.name, image, folder)
        found.kubectl("apply", "--kustomize", str(folder))
        found.await_rollout("scheduler")
        found.await_rollout("worker")
        yield found


def _write_kustomization(name: str, image: str, folder: Path) -> None:
    # Names of kustomize are relative.
    manifests = os.path.relpath(ROOT / "deploy" / "k8s", folder.resolve())
    repository, _, tag = image.rpartition(":")
    small = [
        {"op": "replace", "path": f"/spec/template/spec/containers/0/resources/requests/{name}", "value": value}
        for name, value in (("cpu", "50m"), ("memory", "128Mi"))
    ]
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": name,
        "resources": [manifests],
        "components": [] if minor_version() >= _GRPC_PROBES else [f"{manifests}/components/old-probes"],
        "images": [{"name": "dagrpc", "newName": repository, "newTag": tag}],
        "patches": [{"target": {"kind": "Deployment"}, "patch": yaml.safe_dump(small)}],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")


def port_forwarding_works() -> bool:
    """Tell whether the node can forward ports: the Docker shim of old versions needs the program `socat` there."""
    return minor_version() >= _GRPC_PROBES or shutil.which("socat") is not None
