"""A cluster in containers, started and stopped as an operator does it: `make up`, `make down`."""

from __future__ import annotations

import contextlib
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.support.docker_engine import BASE_IMAGE, missing_for_image, run, succeeds
from tests.support.ports import free_port


class Composed(NamedTuple):
    """A project of compose: its name, and where its scheduler is published on this machine."""

    project: str
    address: str
    dashboard: str


def missing_for_compose() -> str:
    """Return what this machine lacks for a deployment; nothing if it has all."""
    if reason := missing_for_image():
        return reason
    if not succeeds("docker-compose", "version") and not succeeds("docker", "compose", "version"):
        return "there is a Docker engine, but neither `docker compose` nor `docker-compose`"
    return ""


@contextlib.contextmanager
def composed(
    workers: int, overlays: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[Composed]:
    """Run a scheduler and workers in containers; afterwards nothing of them is left."""
    project = f"dagrpc-test-{uuid.uuid4().hex[:8]}"
    image = f"{project}:latest"
    port, dashboard = free_port(), free_port()
    settings = {
        "DAGRPC_PORT": str(port),
        "DAGRPC_DASHBOARD_PORT": str(dashboard),
        "COMPOSE_PROJECT_NAME": project,
        **(environment or {}),
    }
    make = ("make", f"IMAGE={image}", f"BASE_IMAGE={BASE_IMAGE}", f"OVERLAYS={' '.join(overlays)}")
    try:
        run(*make, f"WORKERS={workers}", "up", environment=settings)
        yield Composed(project, f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}")
    finally:
        run(*make, "down", environment=settings)
        subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True, timeout=60, check=False)
    left = run("docker", "ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={project}")
    assert left == "", "make down left containers behind"
