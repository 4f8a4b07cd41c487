"""Programs in all languages run the table of cases in examples/clients/conformance, with the same outcomes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import pytest

from dagrpc import Client, LocalCluster, Security
from tests.support.tcp_proxy import TcpProxy

ROOT = Path(__file__).parents[2]
CASES = ROOT / "examples" / "clients" / "conformance" / "cases.json"
BUILT = ROOT / "build" / "clients"
NODE = ROOT / "examples" / "clients" / "typescript" / "dist" / "conformance.js"
JAVA = ROOT / "examples" / "clients" / "java" / "target"
CLASSES = f"{JAVA / 'classes'}:{JAVA / 'lib'}/*"
COMMANDS: dict[str, tuple[str, list[str]]] = {
    "python": (sys.executable, [sys.executable, "-m", "examples.clients.conformance"]),
    "go": (str(BUILT / "go" / "conformance"), [str(BUILT / "go" / "conformance")]),
    "typescript": (str(NODE), ["node", str(NODE)]),
    "java": (str(JAVA / "lib"), ["java", "-cp", CLASSES, "dev.dagrpc.client.Conformance"]),
}
"""For each language, the file that must be there, and the command."""
TOKENS = {name: f"{name}-secret-of-this-cluster" for name in ("caller", "client", "scheduler", "worker")}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TcpProxy, dict[str, Any]]]:
    """A cluster with TLS and tokens behind a proxy, and what programs are told of it."""
    folder = tmp_path_factory.mktemp("certificates")
    security = Security.temporary(**{f"{role}_token": token for role, token in TOKENS.items()})
    for name, text in (
        ("ca", security.tls_ca_file),
        ("certificate", security.tls_client_cert),
        ("key", security.tls_client_key),
    ):
        (folder / name).write_text(str(text), encoding="utf-8")
    settings = {
        "dagrpc.worker.preload": ["examples.clients.conformance.functions"],
        "dagrpc.scheduler.allowed-failures": 1,
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, security=security, dashboard_address=None
        ) as started,
        Client(started) as client,
    ):
        # Tasks, and not data: workers die, and results are computed again.
        shared = [client.submit(int, 100, key="made-by-python"), client.submit(bytes, 5, key="bytes-of-python")]
        address = started.scheduler_address.rpartition("://")[2]
        with TcpProxy(address) as proxy:
            yield (
                proxy,
                {
                    "address": address,
                    "proxy": proxy.address,
                    "server_name": security.extra_conn_args["server_hostname"],
                    **{name: str(folder / name) for name in ("ca", "certificate", "key")},
                    "tokens": {**TOKENS, "wrong": "a-guess-of-a-secret-token"},
                    "cases": str(CASES),
                },
            )
        del shared


@contextmanager
def cutting(proxy: TcpProxy) -> Iterator[None]:
    """Break all connections through a proxy again and again, at growing intervals: the slowest machine gets through."""
    over = threading.Event()

    def cut() -> None:
        pause = 0.3
        while not over.wait(pause):
            # Most cases do without the proxy: the pauses grow as it is used.
            pause *= 1.2 if proxy.connections else 1
            proxy.drop()

    thread = threading.Thread(target=cut, name="cutting")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def expected() -> dict[str, list[Any]]:
    cases = json.loads(CASES.read_text(encoding="utf-8"))
    return {case["case"]: [step["expect"] for step in case["steps"]] for case in cases}


def told(outcome: Any, wanted: Any) -> Any:
    """Return an outcome without the messages that the table leaves open."""
    if isinstance(outcome, list) and isinstance(wanted, list) and len(outcome) == len(wanted):
        return [told(one, other) for one, other in zip(outcome, wanted, strict=True)]
    if isinstance(outcome, dict) and isinstance(wanted, dict) and "failed" in wanted:
        return {name: value for name, value in outcome.items() if name in wanted}
    return outcome


@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", COMMANDS)
def test_a_client_has_the_outcomes_of_the_table(
    language: str, cluster: tuple[TcpProxy, dict[str, Any]], tmp_path: Path
) -> None:
    needed, command = COMMANDS[language]
    if not Path(needed).exists() or shutil.which(command[0]) is None:
        pytest.skip(f"the client in {language} is not built (make clients)")
    proxy, configuration = cluster
    path = tmp_path / "configuration.json"
    path.write_text(json.dumps({**configuration, "run": f"{language}-{uuid.uuid4().hex[:8]}"}), encoding="utf-8")
    with cutting(proxy):
        ran = subprocess.run([*command, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=540)
    lines = [json.loads(line) for line in ran.stdout.split("\n") if line]
    wanted = expected()
    found = {line["case"]: told(line["outcomes"], wanted.get(line["case"])) for line in lines}
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert found == wanted, "".join(
        f"{case}: {found.get(case)}\n" for case in wanted if found.get(case) != wanted[case]
    )
