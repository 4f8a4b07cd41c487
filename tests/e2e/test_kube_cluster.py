"""KubeCluster on a real Kubernetes: start, scale, lost pods, what is wrong with pods, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import logging
import operator
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagrpc import Client, KubeCluster
from dagrpc_deploy.kube_manifests import CLUSTER_LABEL
from dagrpc_deploy.spec import SpecCluster
from tests.support.docker_engine import ROOT
from tests.support.kubernetes import (
    Namespace,
    image_for_tests,
    kubeconfig,
    missing_for_kubernetes,
    namespace,
    port_forwarding_works,
)
from tests.support.waiting import eventually

LIMIT = 180

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    if reason := missing_for_kubernetes():
        pytest.skip(reason)
    with image_for_tests() as name:
        yield name


@pytest.fixture(scope="module")
def place(image: str) -> Iterator[Namespace]:
    """A namespace for the clusters of these tests."""
    with namespace() as found:
        found.kubectl("create", "namespace", found.name)
        yield found


@pytest.fixture(scope="module")
def options(image: str, place: Namespace) -> dict[str, Any]:
    """The arguments of all clusters here: small pods, and no way through the API server where nodes have none."""
    return {
        "image": image,
        "namespace": place.name,
        "kubeconfig": kubeconfig(),
        "cpus": 0.05,
        "memory_limit": "512 MiB",
        "port_forward": port_forwarding_works(),
        "scheduler_sync_interval": 0.1,
    }


@pytest.fixture
def cluster(options: dict[str, Any], place: Namespace) -> Iterator[SpecCluster]:
    with KubeCluster(n_workers=2, **options) as cluster:
        yield cluster
    await_nothing_left(place, cluster.name)


def left_of(place: Namespace, name: str) -> list[str]:
    """Return the objects of a cluster."""
    kinds = "jobs,pods,services,secrets"
    return place.kubectl("get", kinds, "--selector", f"{CLUSTER_LABEL}={name}", "--output", "name").split()


def await_nothing_left(place: Namespace, name: str) -> None:
    """Wait until Kubernetes has deleted all of a cluster."""
    eventually(lambda: left_of(place, name) == [], LIMIT, f"{name} is still there")


def test_a_job_runs_while_the_cluster_is_scaled(cluster: SpecCluster) -> None:
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=LIMIT)
        squares = client.map(pow, range(500), [2] * 500)
        assert client.submit(sum, squares).result(timeout=LIMIT) == sum(number**2 for number in range(500))
        cluster.scale(3)
        client.wait_for_workers(3, timeout=LIMIT)
        assert len({worker["host"] for worker in client.scheduler_info()["workers"].values()}) == 3
        uploaded = client.scatter(list(range(50)), hash=False)
        cluster.scale(1)
        eventually(lambda: len(client.scheduler_info()["workers"]) == 1, LIMIT)
        assert client.gather(uploaded) == list(range(50))
        assert client.gather(squares) == [number**2 for number in range(500)]
        assert "Scheduler" in cluster.get_logs()
        assert cluster.name in repr(cluster)


def test_the_cluster_adapts(options: dict[str, Any]) -> None:
    with KubeCluster(**options) as cluster, Client(cluster) as client:
        cluster.adapt(minimum=0, maximum=2, interval="100 ms")
        assert client.submit(sum, [1, 2, 3]).result(timeout=LIMIT) == 6


def test_a_pod_that_is_killed_is_replaced(cluster: SpecCluster, place: Namespace) -> None:
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=LIMIT)
        held = client.map(pow, range(100), [3] * 100)
        client.gather(held)
        before = cluster.workers[0]
        place.kubectl("delete", "pod", before.pod_name, "--grace-period=0", "--force")
        eventually(lambda: cluster.workers.get(0) not in (None, before), LIMIT)
        client.wait_for_workers(2, timeout=LIMIT)
        assert client.gather(held) == [number**3 for number in range(100)]


def test_all_goes_with_a_program_that_is_killed(options: dict[str, Any], place: Namespace, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import time\n"
        "from dagrpc import KubeCluster\n"
        "if __name__ == '__main__':\n"
        f"    cluster = KubeCluster(n_workers=1, lease=10, security=True, **{options!r})\n"
        "    print(cluster.name, flush=True)\n"
        "    time.sleep(30)\n"
        "    print(cluster.status.name, flush=True)\n"
        "    time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    name = parent.stdout.readline().strip()
    assert parent.stdout.readline().strip() == "running", "the lease is renewed"
    assert {line.partition("/")[0] for line in left_of(place, name)} == {"job.batch", "pod", "service", "secret"}
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(timeout=30)
    eventually(lambda: not running_pods(place, name), LIMIT, "pods run on")
    if not deletes_finished_jobs(place, name):
        # Before 1.21, Kubernetes does so only if it is told to.
        place.kubectl("delete", "job", name, "--ignore-not-found")
    await_nothing_left(place, name)


def running_pods(place: Namespace, name: str) -> list[str]:
    found = place.objects("pods", f"{CLUSTER_LABEL}={name}")
    return [pod["metadata"]["name"] for pod in found if pod["status"]["phase"] not in ("Succeeded", "Failed")]


def deletes_finished_jobs(place: Namespace, name: str) -> bool:
    """Tell whether Kubernetes deletes finished jobs: versions that keep the field that says so."""
    return all("ttlSecondsAfterFinished" in job["spec"] for job in place.objects("jobs", f"{CLUSTER_LABEL}={name}"))


def test_an_image_that_is_missing_is_an_error_at_once(options: dict[str, Any], place: Namespace) -> None:
    name = f"dagrpc-{uuid.uuid4().hex[:8]}"
    template = {"spec": {"containers": [{"imagePullPolicy": "Never"}]}}
    with pytest.raises(RuntimeError, match=r"ErrImageNeverPull.*no-such-image:1"):
        KubeCluster(name=name, scheduler_template=template, **options | {"image": "dagrpc-no-such-image:1"})
    await_nothing_left(place, name)
    name = f"dagrpc-{uuid.uuid4().hex[:8]}"
    with pytest.raises(RuntimeError, match=r"(ErrImagePull|ImagePullBackOff).*no-such-image:1"):
        KubeCluster(name=name, **options | {"image": "127.0.0.1:1/dagrpc-no-such-image:1"})
    await_nothing_left(place, name)


def test_a_pod_that_no_node_takes_is_an_error_at_once(options: dict[str, Any], place: Namespace) -> None:
    with KubeCluster(**options, resources={"example.com/device": 1}) as cluster:
        with pytest.raises(RuntimeError, match=r"finds no node: Unschedulable: .*example.com/device"):
            cluster.scale(1)
        assert len(running_pods(place, cluster.name)) == 1, "the scheduler's"


def test_a_worker_over_its_memory_is_explained(options: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    environment = {"DAGRPC_SCHEDULER__ALLOWED_FAILURES": "0"}
    with (
        caplog.at_level(logging.WARNING, logger="dagrpc.deploy"),
        KubeCluster(n_workers=1, environment=environment, **options) as cluster,
        Client(cluster) as client,
    ):
        kept = client.submit(operator.mul, b"x", 2**30)
        eventually(lambda: "OOMKilled, exit code 137: it went over the memory limit" in caplog.text, LIMIT)
        assert kept.exception(timeout=LIMIT) is not None
        client.wait_for_workers(1, timeout=LIMIT)


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(options: dict[str, Any], place: Namespace) -> None:
    name = f"dagrpc-{uuid.uuid4().hex[:8]}"
    with pytest.raises(RuntimeError, match="colour"):
        KubeCluster(n_workers=1, name=name, worker_options={"colour": 1}, **options)
    await_nothing_left(place, name)


def test_certificates_travel_as_secrets(options: dict[str, Any], place: Namespace) -> None:
    with KubeCluster(n_workers=1, security=True, **options) as cluster, Client(cluster) as client:
        assert client.submit(sum, [1, 2, 3]).result(timeout=LIMIT) == 6
        assert "PRIVATE KEY" not in json.dumps(place.objects("pods", f"{CLUSTER_LABEL}={cluster.name}"))


def test_pods_are_as_the_template_and_the_arguments_say(options: dict[str, Any], place: Namespace) -> None:
    template = "spec: {priority: 0, terminationGracePeriodSeconds: 7, containers: [{env: [{name: B, value: b}]}]}"
    with (
        KubeCluster(n_workers=1, environment={"A": "a"}, pod_template=template, **options) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit(os.getenv, "A").result(timeout=LIMIT) == "a"
        assert client.submit(os.getenv, "B").result(timeout=LIMIT) == "b"
        pods = {pod["metadata"]["name"]: pod for pod in place.objects("pods", f"{CLUSTER_LABEL}={cluster.name}")}
        pod = pods[cluster.workers[0].pod_name]["spec"]
        assert pod["terminationGracePeriodSeconds"] == 7
        assert pod["containers"][0]["resources"]["limits"] == {"memory": str(512 * 2**20)}


def test_the_scheduler_may_run_in_the_program(options: dict[str, Any], place: Namespace) -> None:
    with KubeCluster(n_workers=1, scheduler="program", **options) as cluster, Client(cluster) as client:
        assert client.submit(sum, [1, 2, 3]).result(timeout=LIMIT) == 6
        assert len(running_pods(place, cluster.name)) == 1
        name = cluster.name
    await_nothing_left(place, name)


async def use(options: dict[str, Any]) -> Any:
    async with (
        KubeCluster(n_workers=1, asynchronous=True, **options) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        return await client.submit(sum, [1, 2, 3])


def test_a_cluster_may_be_used_with_await(options: dict[str, Any]) -> None:
    assert asyncio.run(asyncio.wait_for(use(options), LIMIT)) == 6


def test_the_role_in_the_manifests_is_enough(options: dict[str, Any], place: Namespace, tmp_path: Path) -> None:
    role = ROOT / "deploy" / "k8s" / "components" / "cluster-manager" / "role.yaml"
    place.kubectl("apply", "--filename", str(role))
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(place.kubeconfig_of("dagrpc-program")), encoding="utf-8")
    path.chmod(0o600)
    with (
        KubeCluster(n_workers=1, security=True, lease=20, **options | {"kubeconfig": str(path)}) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit(sum, [1, 2, 3]).result(timeout=LIMIT) == 6
    with pytest.raises(RuntimeError, match="forbidden"):
        KubeCluster(**options | {"kubeconfig": str(path), "namespace": "default"})
