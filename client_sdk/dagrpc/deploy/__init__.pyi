"""What type checkers know of the names in `__init__.py`, which are looked up when they are used."""

from dagrpc_deploy.adaptive import Adaptive as Adaptive
from dagrpc_deploy.adaptive_core import AdaptiveCore as AdaptiveCore
from dagrpc_deploy.cluster import Cluster as Cluster
from dagrpc_deploy.docker_cluster import DockerCluster as DockerCluster
from dagrpc_deploy.kube_cluster import KubeCluster as KubeCluster
from dagrpc_deploy.local import LocalCluster as LocalCluster
from dagrpc_deploy.process_interface import ProcessInterface as ProcessInterface
from dagrpc_deploy.spec import SpecCluster as SpecCluster
from dagrpc_deploy.ssh import SSHCluster as SSHCluster
from dagrpc_deploy.subprocesses import SubprocessCluster as SubprocessCluster

__all__: list[str]
