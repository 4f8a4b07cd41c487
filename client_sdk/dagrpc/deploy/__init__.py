"""Cluster managers, under distributed's module names. They are imported when first used.

::

    from dagrpc.deploy.spec import SpecCluster
    from dagrpc.deploy import LocalCluster
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Adaptive": "dagrpc_deploy.adaptive",
    "AdaptiveCore": "dagrpc_deploy.adaptive_core",
    "Cluster": "dagrpc_deploy.cluster",
    "DockerCluster": "dagrpc_deploy.docker_cluster",
    "KubeCluster": "dagrpc_deploy.kube_cluster",
    "LocalCluster": "dagrpc_deploy.local",
    "ProcessInterface": "dagrpc_deploy.process_interface",
    "SSHCluster": "dagrpc_deploy.ssh",
    "SpecCluster": "dagrpc_deploy.spec",
    "SubprocessCluster": "dagrpc_deploy.subprocesses",
}

__all__ = sorted(_HOMES)


_MODULES = ("adaptive", "adaptive_core", "cluster", "local", "spec", "ssh", "subprocess")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
