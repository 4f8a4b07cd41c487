"""The objects that `KubeCluster` makes, as the API server takes them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CLUSTER_LABEL = "dagrpc.dev/cluster"
ROLE_LABEL = "dagrpc.dev/role"
RENEWED = "dagrpc.dev/renewed"
"""The annotation of a scheduler's pod by which its program renews the lease."""
SCHEDULER_PORT = 8786
_LEASE_FOLDER = "/etc/dagrpc/lease"
_SECURITY_FOLDER = "/etc/dagrpc/security"
_SECURITY_FILE = "fields.json"
_USER = 10001
# How long a finished scheduler stays, for those who want to see its log.
_KEEP_FINISHED = 30
_GRACE = 30

# The pods need nothing of their node: no capability, no other user, no file of the image to write to.
_POD: dict[str, Any] = {
    "restartPolicy": "Never",
    "automountServiceAccountToken": False,
    "terminationGracePeriodSeconds": _GRACE,
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": _USER,
        "runAsGroup": _USER,
        "fsGroup": _USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}
_CONTAINER: dict[str, Any] = {
    "imagePullPolicy": "IfNotPresent",
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
}


def read_template(given: Mapping[str, Any] | str | Path | None) -> dict[str, Any]:
    """Return a pod template given as a mapping, as YAML or JSON, or as the path of a file.

    Raises
    ------
    ValueError
        If it is no template of a pod.

    Examples
    --------
    >>> read_template("spec: {nodeSelector: {disk: ssd}}")
    {'spec': {'nodeSelector': {'disk': 'ssd'}}}
    """
    if given is None:
        return {}
    found: Any = given
    if not isinstance(given, Mapping):
        import yaml

        is_text = isinstance(given, str) and ("\n" in given or ": " in given)
        text = str(given) if is_text else Path(given).read_text(encoding="utf-8")
        try:
            found = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"The pod template is not YAML: {error}") from None
    if not isinstance(found, Mapping) or not {"spec", "metadata"}.intersection(found):
        raise ValueError(f"A pod template has a `spec` or `metadata`, like a pod; got {found!r}")
    return {name: found[name] for name in ("metadata", "spec") if name in found}


def pod(
    role: str,
    cluster: str,
    image: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    resources: Mapping[str, Mapping[str, Any]],
    template: Mapping[str, Any],
    settings: Mapping[str, Any],
    secret: str | None = None,
    lease: float | None = None,
) -> dict[str, Any]:
    """Return the template of a pod: the given one, with what the server needs.

    The server runs in the first container of `template`; `settings` are further fields of the pod's `spec`.
    """
    metadata = dict(template.get("metadata") or {})
    spec: dict[str, Any] = _merged(_POD, template.get("spec") or {})
    own, *others = spec.get("containers") or [{}]
    container: dict[str, Any] = {"name": role, **_merged(_CONTAINER, own), "image": image}
    if resources:
        container["resources"] = _merged(container.get("resources") or {}, resources)
    container["env"] = [*container.get("env", ()), *({"name": key, "value": environment[key]} for key in environment)]
    mounts, volumes = [{"name": "tmp", "mountPath": "/tmp"}], [{"name": "tmp", "emptyDir": {}}]
    command = ["python", "-m", "dagrpc.cli", "spec"]
    arguments = list(arguments)
    if lease is not None:
        arguments += ["--lease-file", f"{_LEASE_FOLDER}/annotations", "--lease", str(math.ceil(lease))]
        mounts.append({"name": "lease", "mountPath": _LEASE_FOLDER})
        fields = [{"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations"}}]
        volumes.append({"name": "lease", "downwardAPI": {"items": fields}})
    if secret is not None:
        # Over standard input: those who may read pods do not see it.
        command = [
            "sh",
            "-c",
            f'exec {" ".join(command)} --read-security "$@" <{_SECURITY_FOLDER}/{_SECURITY_FILE}',
            role,
        ]
        mounts.append({"name": "security", "mountPath": _SECURITY_FOLDER})
        volumes.append({"name": "security", "secret": {"secretName": secret, "defaultMode": 0o440}})
    container["command"], container["args"] = command, arguments
    container["volumeMounts"] = [*container.get("volumeMounts", ()), *mounts]
    labels = {**(metadata.get("labels") or {}), CLUSTER_LABEL: cluster, ROLE_LABEL: role}
    return {
        "metadata": {**metadata, "labels": labels},
        "spec": {
            **_merged(spec, settings),
            "containers": [container, *others],
            "volumes": [*spec.get("volumes", ()), *volumes],
        },
    }


def worker_pod(template: Mapping[str, Any], prefix: str, owner: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a pod of a template, which goes with its owner. Its name begins with a prefix."""
    owners = {} if owner is None else {"ownerReferences": [dict(owner)]}
    metadata = {**template["metadata"], "generateName": prefix, **owners}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def scheduler_job(name: str, template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the job of a scheduler. It owns all of its cluster, and Kubernetes deletes it once it has ended."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {CLUSTER_LABEL: name}},
        "spec": {"backoffLimit": 0, "ttlSecondsAfterFinished": _KEEP_FINISHED, "template": dict(template)},
    }


def service(name: str, owner: Mapping[str, Any]) -> dict[str, Any]:
    """Return the service under whose name workers find the scheduler."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _owned(name, name, owner),
        "spec": {
            "selector": {CLUSTER_LABEL: name, ROLE_LABEL: "scheduler"},
            "ports": [{"name": "grpc", "port": SCHEDULER_PORT}],
            # Workers start when the scheduler serves, and nothing probes it.
            "publishNotReadyAddresses": True,
        },
    }


def security_secret(
    name: str, cluster: str, fields: Mapping[str, Any], owner: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the secret with the certificates of a role."""
    data = {_SECURITY_FILE: json.dumps(dict(fields)) + "\n"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": _owned(name, cluster, owner), "stringData": data}


def owner_of(created: Mapping[str, Any]) -> dict[str, Any]:
    """Return a reference to an object as the owner of others."""
    names = {name: created[name] for name in ("apiVersion", "kind")}
    return {**names, "name": created["metadata"]["name"], "uid": created["metadata"]["uid"]}


def _owned(name: str, cluster: str, owner: Mapping[str, Any] | None) -> dict[str, Any]:
    owners = {} if owner is None else {"ownerReferences": [dict(owner)]}
    return {"name": name, "labels": {CLUSTER_LABEL: cluster}, **owners}


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with the values of the second over those of the first, at all depths of mappings."""
    found = dict(base)
    for key, value in over.items():
        below = found.get(key)
        found[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return found
