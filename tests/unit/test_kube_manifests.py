"""The objects of a KubeCluster, without a Kubernetes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dagrpc import KubeCluster
from dagrpc_deploy import kube_manifests as manifests
from dagrpc_deploy.kube_failures import has_ended, is_running, why_ended, why_stuck, why_unschedulable


def made(template: Any = None, **kwargs: Any) -> Any:
    return manifests.pod(
        "worker",
        "mine",
        image="image:1",
        arguments=["--spec", "{}"],
        environment={"A": "1"},
        resources={"limits": {"memory": "1"}},
        template=manifests.read_template(template),
        settings={},
        **kwargs,
    )


def test_pods_have_no_rights_that_they_do_not_need() -> None:
    pod = made()["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_a_template_adds_to_the_pod_and_to_its_first_container() -> None:
    pod = made(
        """
        metadata: {labels: {team: blue}}
        spec:
          nodeSelector: {disk: ssd}
          securityContext: {runAsUser: 1}
          containers:
            - name: main
              env: [{name: B, value: "2"}]
              resources: {limits: {"nvidia.com/gpu": 1}}
            - {name: other, image: helper}
        """
    )
    assert pod["metadata"]["labels"] == {
        "team": "blue",
        manifests.CLUSTER_LABEL: "mine",
        manifests.ROLE_LABEL: "worker",
    }
    assert pod["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert pod["spec"]["securityContext"]["runAsUser"] == 1
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    main, other = pod["spec"]["containers"]
    assert (main["name"], main["image"], other["image"]) == ("main", "image:1", "helper")
    assert main["env"] == [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]
    assert main["resources"] == {"limits": {"nvidia.com/gpu": 1, "memory": "1"}}


def test_a_template_may_be_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pod.yaml"
    path.write_text("apiVersion: v1\nkind: Pod\nspec: {priorityClassName: high}\n", encoding="utf-8")
    for given in (path, str(path), {"spec": {"priorityClassName": "high"}}):
        assert manifests.read_template(given) == {"spec": {"priorityClassName": "high"}}


@pytest.mark.parametrize("given", [{}, {"containers": []}, "just: text", "a: [b"])
def test_a_text_that_is_no_template_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="pod template"):
        manifests.read_template(given)


def test_certificates_and_the_lease_are_files() -> None:
    pod = made(secret="mine-worker", lease=30.5)["spec"]
    (container,) = pod["containers"]
    assert container["command"][:2] == ["sh", "-c"]
    assert container["args"] == ["--spec", "{}", "--lease-file", "/etc/dagrpc/lease/annotations", "--lease", "31"]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {"tmp", "lease", "security"} == {volume["name"] for volume in pod["volumes"]}


def test_everything_has_an_owner() -> None:
    owner = manifests.owner_of({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "mine", "uid": "1"}})
    for each in (
        manifests.worker_pod(made(), "mine-worker-0-", owner),
        manifests.service("mine", owner),
        manifests.security_secret("mine-worker", "mine", {}, owner),
    ):
        assert each["metadata"]["ownerReferences"] == [
            {"apiVersion": "batch/v1", "kind": "Job", "name": "mine", "uid": "1"}
        ]
        assert each["metadata"]["labels"][manifests.CLUSTER_LABEL] == "mine"


def container(**state: Any) -> dict[str, Any]:
    return {"status": {"containerStatuses": [{"state": state}]}}


def test_a_pod_that_may_still_start_is_not_stuck() -> None:
    assert why_stuck({}) == ""
    assert why_stuck(container(waiting={"reason": "ContainerCreating"})) == ""
    assert why_unschedulable({"status": {"conditions": [{"type": "PodScheduled", "status": "True"}]}}) == ""
    assert not is_running(container(waiting={"reason": "ContainerCreating"}))
    assert not has_ended({"status": {"phase": "Running"}})


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "ErrImageNeverPull", "CreateContainerConfigError"])
def test_a_pod_that_cannot_start_is_stuck(reason: str) -> None:
    assert why_stuck(container(waiting={"reason": reason, "message": "because"})) == f"{reason}: because"


def test_ends_are_explained() -> None:
    assert why_ended(container(terminated={"reason": "Error", "exitCode": 3})) == "Error, exit code 3"
    assert is_running(container(terminated={"exitCode": 0}))
    assert has_ended({"status": {"phase": "Failed"}})
    assert why_ended({}) == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scheduler": "here"}, "scheduler must be one of 'pod', 'program'; got 'here'"),
        ({"name": "Upper"}, "got 'Upper'"),
        ({"lease": "soon"}, "lease must be a number of seconds or a text"),
        ({"lease": 1}, "lease must be at least 10 s; got 1"),
        ({"pod_template": {}}, "pod template"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KubeCluster(**arguments)


def test_api_servers_that_do_not_answer_are_named(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(
        "{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}],"
        " clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: a, user: {token: a}}]}"
    )
    with pytest.raises(RuntimeError, match="No Kubernetes API server answers"):
        KubeCluster(kubeconfig=str(path))
