"""The objects for Kubernetes have the fields of the oldest version that they support, and of the newest known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from dagrpc_deploy import kube_manifests as manifests

KUBERNETES = Path(__file__).parents[2] / "deploy" / "k8s"
OLDEST = "1.27"
# Kinds of others than Kubernetes.
FOREIGN = {"PodMonitor"}


def newest() -> str:
    return str(kubernetes_validate.latest_version())


def documents() -> list[Any]:
    """Return the objects of the manifests and of their components, without the patches of these."""
    found: list[Any] = []
    for kustomization in sorted(KUBERNETES.rglob("kustomization.yaml")):
        for name in yaml.safe_load(kustomization.read_text(encoding="utf-8")).get("resources", ()):
            found += yaml.safe_load_all((kustomization.parent / name).read_text(encoding="utf-8"))
    return [document for document in found if document["kind"] not in FOREIGN]


def objects_of_kube_cluster() -> list[Any]:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "mine", "uid": "1"}
    pod = manifests.pod(
        "worker",
        "mine",
        image="image:1",
        arguments=["--spec", "{}"],
        environment={"A": "1"},
        resources={"requests": {"cpu": "500m"}, "limits": {"memory": "1"}},
        template={},
        settings={"serviceAccountName": "mine"},
        secret="mine-worker",
        lease=30,
    )
    return [
        manifests.worker_pod(pod, "mine-worker-0-", owner),
        manifests.scheduler_job("mine", pod),
        manifests.service("mine", owner),
        manifests.security_secret("mine-worker", "mine", {"tls_ca_file": "x"}, owner),
    ]


@pytest.mark.parametrize("version", [OLDEST, newest()])
@pytest.mark.parametrize(
    "document", [*documents(), *objects_of_kube_cluster()], ids=lambda it: f"{it['kind']}-{it['metadata'].get('name')}"
)
def test_an_object_has_the_fields_of_a_version(document: Any, version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", [OLDEST, newest()])
def test_an_unknown_field_is_found(version: str) -> None:
    document = objects_of_kube_cluster()[0]
    document["spec"]["restartPolice"] = "Never"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, version, strict=True)
