"""The deployment files agree with each other, and ask for no more rights than they need."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "k8s"
COMPOSE = ROOT / "deploy" / "compose" / "compose.yaml"
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
NAMESPACE = "dagrpc"
IMAGE = "dagrpc"
IMAGE_TAG = "latest"
PORTS = {"scheduler": 8786, "worker": 8788}
HTTP_PORTS = {"scheduler": 8787, "worker": 8789}
SERVICES = {"scheduler": "dagrpc.v1.SchedulerService", "worker": "dagrpc.v1.WorkerService"}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def kustomization() -> Any:
    return yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text(encoding="utf-8"))


def documents() -> list[Any]:
    """Return every object that kustomize would apply."""
    files = [KUBERNETES / name for name in kustomization()["resources"]]
    return [document for file in files for document in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def find(kind: str, name: str) -> Any:
    (found,) = [it for it in documents() if it["kind"] == kind and it["metadata"]["name"] == name]
    return found


def pod_of(role: str) -> Any:
    return find("Deployment", f"dagrpc-{role}")["spec"]["template"]["spec"]


def container_of(role: str) -> Any:
    (container,) = pod_of(role)["containers"]
    return container


def compose() -> Any:
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))


def option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]


def test_every_manifest_is_listed() -> None:
    listed = set(kustomization()["resources"]) | {"kustomization.yaml"}
    assert listed == {path.name for path in KUBERNETES.glob("*.yaml")}


def test_objects_are_complete_and_live_in_one_namespace() -> None:
    for document in documents():
        assert document["apiVersion"]
        assert document["metadata"]["name"]
        assert "namespace" not in document["metadata"], "the kustomization sets it"
    assert kustomization()["namespace"] == NAMESPACE
    assert find("Namespace", NAMESPACE)


@pytest.mark.parametrize("role", PORTS)
def test_probes_ask_the_service_on_its_port(role: str) -> None:
    container = container_of(role)
    assert [port["containerPort"] for port in container["ports"]] == [PORTS[role], HTTP_PORTS[role]]
    for probe in PROBES:
        assert container[probe]["grpc"]["port"] == PORTS[role]
    # The service by name: a port that answers is not yet the right service.
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["grpc"]["service"] == SERVICES[role]


@pytest.mark.parametrize("role", PORTS)
def test_a_busy_interpreter_is_given_time(role: str) -> None:
    probe = container_of(role)["livenessProbe"]
    assert probe["timeoutSeconds"] >= 5
    assert probe["failureThreshold"] >= 6


@pytest.mark.parametrize("role", PORTS)
def test_pods_have_no_rights_that_they_do_not_need(role: str) -> None:
    pod, container = pod_of(role), container_of(role)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    rights = container["securityContext"]
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["readOnlyRootFilesystem"] is True
    assert rights["capabilities"] == {"drop": ["ALL"]}
    # The one place that can be written to.
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert [volume["name"] for volume in pod["volumes"] if "emptyDir" in volume] == ["tmp"]


@pytest.mark.parametrize("role", PORTS)
def test_pods_say_what_they_need(role: str) -> None:
    resources = container_of(role)["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert "memory" in resources["limits"]


@pytest.mark.parametrize("role", PORTS)
def test_selectors_find_their_pods(role: str) -> None:
    deployment = find("Deployment", f"dagrpc-{role}")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert labels["app.kubernetes.io/component"] == role


def test_there_is_one_scheduler_at_a_time() -> None:
    deployment = find("Deployment", "dagrpc-scheduler")["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}


def test_the_scheduler_is_found_under_its_name_and_port() -> None:
    service = find("Service", "dagrpc-scheduler")
    labels = find("Deployment", "dagrpc-scheduler")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    port, http = service["spec"]["ports"]
    assert (port["port"], http["port"]) == (PORTS["scheduler"], HTTP_PORTS["scheduler"])
    assert {port["targetPort"], http["targetPort"]} == {it["name"] for it in container_of("scheduler")["ports"]}
    assert container_of("worker")["args"][:2] == ["worker", f"dagrpc-scheduler:{port['port']}"]


def test_commands_listen_where_the_probes_look() -> None:
    assert option(container_of("scheduler")["args"], "--port") == str(PORTS["scheduler"])
    assert option(container_of("worker")["args"], "--worker-port") == str(PORTS["worker"])
    for role, port in HTTP_PORTS.items():
        assert option(container_of(role)["args"], "--dashboard-address") == f":{port}"


def test_every_variable_of_a_command_is_set() -> None:
    container = container_of("worker")
    used = {it[2:-1] for it in container["args"] if it.startswith("$(")}
    assert used == {variable["name"] for variable in container["env"]}


def test_only_known_ports_are_open_to_the_namespace() -> None:
    (rule,) = find("NetworkPolicy", "dagrpc")["spec"]["ingress"]
    assert rule["from"] == [{"podSelector": {}}]
    assert {port["port"] for port in rule["ports"]} == {*PORTS.values(), *HTTP_PORTS.values()}


def test_all_run_the_same_image() -> None:
    images = {container_of(role)["image"] for role in PORTS}
    assert images == {IMAGE}
    (image,) = kustomization()["images"]
    assert image["name"] == IMAGE
    default = f"{image['newName']}:{image['newTag']}"
    assert default == f"{IMAGE}:{IMAGE_TAG}"
    assert {service["image"] for service in compose()["services"].values()} == {f"${{DAGRPC_IMAGE:-{default}}}"}
    assert f"IMAGE ?= {default}\n" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_compose_uses_the_same_ports_and_services() -> None:
    services = compose()["services"]
    scheduler, worker = services["scheduler"], services["worker"]
    assert option(scheduler["command"], "--port") == str(PORTS["scheduler"])
    assert option(worker["command"], "--worker-port") == str(PORTS["worker"])
    assert worker["command"][:2] == ["worker", f"scheduler:{PORTS['scheduler']}"]
    for published, port in zip(scheduler["ports"], (PORTS["scheduler"], HTTP_PORTS["scheduler"]), strict=True):
        assert published.endswith(f":{port}")
        assert published.startswith("${DAGRPC_HOST:-127.0.0.1}:"), "not open to the network unless asked for"
    for role, service in services.items():
        check = " ".join(service["healthcheck"]["test"])
        assert f":{PORTS[role]}" in check
        assert SERVICES[role] in check


def test_compose_services_have_no_rights_that_they_do_not_need() -> None:
    for service in compose()["services"].values():
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_image_runs_as_the_user_of_the_manifests() -> None:
    lines = DOCKERFILE.read_text(encoding="utf-8").splitlines()
    context = pod_of("worker")["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in lines
    ports = sorted((*PORTS.values(), *HTTP_PORTS.values()))
    assert "EXPOSE " + " ".join(str(port) for port in ports) in lines
    assert 'ENTRYPOINT ["dagrpc"]' in lines


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("component", sorted(path.name for path in (KUBERNETES / "components").iterdir()))
def test_components_apply_to_the_manifests(component: str, tmp_path: Path) -> None:
    shutil.copytree(KUBERNETES, tmp_path / "k8s")
    (tmp_path / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": ["k8s"], "components": [f"k8s/components/{component}"]})
    )
    plain, rendered = (
        subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, timeout=60, check=True).stdout
        for folder in (str(KUBERNETES), str(tmp_path))
    )
    before, after = ({_identity(it): it for it in yaml.safe_load_all(text)} for text in (plain, rendered))
    assert before.keys() <= after.keys()
    assert before != after, "the component adds something"
    for name, document in after.items():
        if document["kind"] == "Deployment" and name in before:
            (container,) = document["spec"]["template"]["spec"]["containers"]
            (original,) = before[name]["spec"]["template"]["spec"]["containers"]
            assert container["args"] == original["args"]
            variables = {variable["name"] for variable in container["env"]}
            assert {variable["name"] for variable in original["env"]} <= variables
            for probe in PROBES:
                kinds = {"grpc", "tcpSocket", "httpGet"} & container[probe].keys()
                assert len(kinds) == 1


def _identity(document: Any) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]
