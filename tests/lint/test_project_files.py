"""Files that a forge and a release read are well-formed, call targets that exist, and agree on the version."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FORGE = ROOT / ".github"
WORKFLOWS = sorted((FORGE / "workflows").glob("*.yml"))
FORMS = sorted((FORGE / "ISSUE_TEMPLATE").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def commands(workflow: Any) -> list[str]:
    """Return the commands in the steps of a workflow."""
    return [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_targets_that_there_are(path: Path) -> None:
    workflow = read(path)
    # YAML takes the key `on` for a truth value.
    assert {"name", True, "jobs", "permissions"} <= set(workflow)
    assert all("timeout-minutes" in job or "needs" in job for job in workflow["jobs"].values())
    called = {target for command in commands(workflow) for target in re.findall(r"\bmake ([a-z-]+)", command)}
    assert called
    assert called <= TARGETS


def test_the_script_of_ci_calls_targets_that_there_are_and_runs_the_tests() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    called = re.findall(r"^ *(?:step )?make ([a-z-]+)", script, re.MULTILINE)
    assert set(called) <= TARGETS
    assert called[-1] == "test"


def test_every_supported_python_is_tested_on_both_systems() -> None:
    matrix = read(FORGE / "workflows" / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    named = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if "Python :: 3." in text]
    assert matrix["python"] == named
    assert PROJECT["requires-python"] == f">={named[0]}"
    assert [system.partition("-")[0] for system in matrix["os"]] == ["ubuntu", "macos"]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_forms_of_issues_can_be_filled_in(path: Path) -> None:
    form = read(path)
    if path.stem == "config":
        assert form == {"blank_issues_enabled": False}
        return
    assert {"name", "description", "body"} <= set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_hooks_run_what_the_environment_has() -> None:
    (local,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    for hook in local["hooks"]:
        program, *rest = hook["entry"].split()
        assert (program == "make" and rest[0] in TARGETS) or program.startswith(".venv/bin/")


def test_the_changelog_has_the_version_and_room_for_the_next() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(PROJECT['version'])} - \d{{4}}-\d\d-\d\d", headings[1])


def test_the_license_is_the_one_that_is_named() -> None:
    assert PROJECT["license"] == "BSD-3-Clause"
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("BSD 3-Clause License")
    assert "dagrpc developers" in text


def test_each_owner_is_of_files_that_there_are() -> None:
    lines = (FORGE / "CODEOWNERS").read_text(encoding="utf-8").splitlines()
    patterns = [line.split()[0] for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    assert all((ROOT / pattern.strip("/")).exists() for pattern in patterns[1:])


def test_required_packages_are_imported() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for root in ("client_sdk", "scheduler_service", "worker_service", "deploy")
        for path in (ROOT / root).rglob("*.py")
    )
    modules = {
        "grpcio": "grpc", "grpcio-health-checking": "grpc_health", "grpcio-reflection": "grpc_reflection",
        "grpcio-status": "grpc_status", "protobuf": "google.protobuf", "prometheus-client": "prometheus_client",
        # dask imports it, and does without it, too.
        "xxhash": None,
    }  # fmt: skip
    for requirement in PROJECT["dependencies"]:
        name = re.split(r"[<>=;\[ ]", requirement)[0]
        module = modules.get(name, name)
        assert module is None or re.search(rf"\b(import|from) {re.escape(module)}\b", sources), name
