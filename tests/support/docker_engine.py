"""Finds out whether this machine can run containers, and builds the project's image for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASE_IMAGE = os.environ.get("DAGRPC_BASE_IMAGE", "python:3.11-slim-bookworm")


def run(*command: str, environment: dict[str, str] | None = None, timeout: float = 600) -> str:
    """Run a command in the checkout and return what it printed."""
    outcome = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert outcome.returncode == 0, f"{' '.join(command)} ended with {outcome.returncode}:\n{outcome.stdout[-4000:]}"
    return outcome.stdout


def succeeds(*command: str, timeout: float = 60) -> bool:
    """Tell whether a command exists and succeeds."""
    if shutil.which(command[0]) is None:
        return False
    try:
        return subprocess.run(command, capture_output=True, timeout=timeout, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def missing_for_image() -> str:
    """Return what this machine lacks to build the image and run it; nothing if it has all."""
    if not succeeds("docker", "info"):
        return "no Docker engine answers to `docker info`"
    if shutil.which("make") is None:
        return "there is a Docker engine, but no `make`"
    if not succeeds("docker", "image", "inspect", BASE_IMAGE) and not succeeds(
        "docker", "pull", BASE_IMAGE, timeout=300
    ):
        return f"there is a Docker engine, but the base image {BASE_IMAGE} is not here and cannot be pulled"
    return ""
