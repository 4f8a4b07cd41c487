"""Certificates and tokens of clusters whose processes `dagrpc spec` runs: here, and on the other end of SSH."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import psutil
import pytest

from dagrpc import Client, LocalCluster, NotAuthenticatedError, Security, SSHCluster, SubprocessCluster
from dagrpc.security import ROLES
from dagrpc_deploy.run_spec import read_security
from dagrpc_deploy.spec_process import settings_for_servers
from tests.integration.test_remote_clusters import inc, ssh
from tests.unit.security.certificates import Authority

__all__ = ["ssh"]

pytestmark = pytest.mark.timeout(180)
TIMEOUT = 60
TOKEN = "the-secret-of-this-cluster"


def seen_from_outside(before: set[int]) -> bytes:
    """Return the command lines and environments of the processes that were started since."""
    found = b""
    for process in psutil.Process().children(recursive=True):
        if process.pid not in before:
            for name in ("cmdline", "environ"):
                found += Path(f"/proc/{process.pid}/{name}").read_bytes()
    return found


def check(cluster: Any, security: Security, before: set[int]) -> None:
    with Client(cluster) as client:
        assert client.submit(inc, 1).result(timeout=TIMEOUT) == 2
        assert list(client.run(lambda: 1).values())
        with Client(cluster.scheduler_address, security=security) as other:
            assert other.submit(inc, 2).result(timeout=TIMEOUT) == 3
        with pytest.raises((OSError, NotAuthenticatedError)):
            Client(cluster.scheduler_address, security=Security.temporary(), timeout=10)
    outside = seen_from_outside(before)
    assert outside
    for name, secret in security.fields().items():
        if name.endswith(("_key", "token")) and "\n" in (text := str(secret)):
            assert text.splitlines()[1].encode() not in outside
        elif name.endswith("token"):
            assert text.encode() not in outside


def now() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)}


def test_processes_with_temporary_certificates() -> None:
    before = now()
    with SubprocessCluster(n_workers=1, threads_per_worker=1, security=True) as cluster:
        assert cluster.security.has_tls("client")
        check(cluster, cluster.security, before)
        cluster.scale(2)
        with Client(cluster) as client:
            client.wait_for_workers(2, timeout=TIMEOUT)


def test_processes_with_files_that_the_settings_name(tmp_path: Path) -> None:
    fields = Authority(tmp_path).fields(*ROLES)
    settings = {"dagrpc.comm.tls.ca-file": fields["tls_ca_file"], "dagrpc.comm.require-encryption": True}
    for role in ROLES:
        settings |= {f"dagrpc.comm.tls.{role}.{part}": fields[f"tls_{role}_{part}"] for part in ("cert", "key")}
    with dask.config.set(settings):
        before = now()
        with SubprocessCluster(n_workers=1, threads_per_worker=1) as cluster:
            check(cluster, Security(**fields), before)


def test_processes_with_a_token() -> None:
    before = now()
    with (
        dask.config.set({"dagrpc.comm.token": TOKEN}),
        SubprocessCluster(n_workers=1, threads_per_worker=1) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit(inc, 1).result(timeout=TIMEOUT) == 2
        assert TOKEN.encode() not in seen_from_outside(before)
        with pytest.raises(NotAuthenticatedError):
            Client(cluster.scheduler_address, security=Security(token="another-secret-of-mine"), timeout=20)


def test_hosts_with_certificates_and_tokens_by_role(ssh: dict[str, Any]) -> None:
    tokens = {f"{role}_token": f"{role}-{TOKEN}" for role in ROLES}
    security = Security(**Security.temporary().fields(), **tokens)
    before = now()
    with SSHCluster(
        ["127.0.0.1"] * 2, connect_options=ssh, worker_options={"nthreads": 1}, security=security
    ) as cluster:
        check(cluster, security, before)


def test_each_process_gets_what_its_role_needs() -> None:
    tokens = {f"{role}_token": f"{role}-{TOKEN}" for role in ROLES}
    security = Security(**Security.temporary().fields(), **tokens)
    found = security.fields_for("worker")
    assert {name for name in found if name.startswith("tls_")} == {"tls_ca_file", "tls_worker_cert", "tls_worker_key"}
    assert found["worker_token"] == f"worker-{TOKEN}"
    assert found["client_token"].startswith("sha256:")
    assert Security(**found).has_tls("worker")
    assert Security().fields_for("worker") == {}


def test_settings_travel_without_secrets() -> None:
    secret = {
        "token": TOKEN,
        "tokens": {"client": TOKEN},
        "tls": {"ca-file": "ca.pem", "client": {"key": "-----BEGIN"}},
    }
    with dask.config.set({"dagrpc": {"comm": secret}, "distributed": {"comm": secret}, "mine": 1}):
        found = settings_for_servers()
    for root in ("dagrpc", "distributed"):
        assert found[root]["comm"]["tls"] == {"ca-file": "ca.pem", "client": {}}
        assert not {"token", "tokens"} & set(found[root]["comm"])
    assert found["mine"] == 1


def test_a_first_line_that_holds_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    for line in (b"", b"hush-hush\n", b"[1]\n"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line)))
        with pytest.raises(ValueError, match="the first line") as caught:
            read_security()
        assert "hush" not in str(caught.value)


def test_files_are_for_their_user_only(tmp_path: Path) -> None:
    with (
        dask.config.set({"temporary-directory": str(tmp_path)}),
        LocalCluster(n_workers=1, threads_per_worker=1, memory_limit="400 MiB") as cluster,
        Client(cluster) as client,
    ):
        held = client.map(bytes, [60_000_000 + number for number in range(8)])
        client.gather(client.map(len, held))
        files = [file for file in tmp_path.rglob("*") if file.is_file() or file.is_dir()]
        assert any("spill" in str(file) or "storage" in str(file) for file in files), files
        # Nobody else gets past the outermost directory; what is below that has no rights for others either.
        for file in files:
            if file.is_dir():
                assert not file.stat().st_mode & 0o077, file
