"""`dagrpc certs`: certificates that work in a cluster, their renewal, and the change of the authority."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509

from dagrpc import Client, LocalCluster, Security
from dagrpc._cli.certs import certs


def run(*arguments: str) -> str:
    outcome = CliRunner().invoke(certs, arguments)
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def security(folder: Path, **more: str) -> Security:
    roles = ("scheduler", "worker", "client")
    files = {f"tls_{role}_cert": str(folder / f"{role}.pem") for role in roles}
    keys = {f"tls_{role}_key": str(folder / f"{role}.key") for role in roles}
    return Security(tls_ca_file=str(folder / "ca.pem"), require_encryption=True, **{**files, **keys, **more})


def works(found: Security, client: Security | None = None) -> bool:
    with LocalCluster(n_workers=1, threads_per_worker=1, security=found) as cluster:
        address = cluster.scheduler_address
        with Client(address, security=client or found, set_as_default=False, timeout=30) as connected:
            return connected.submit(sum, [1, 2, 3]).result(timeout=60) == 6


def serial(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


def test_a_cluster_works_with_the_files(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "dagrpc.cli", "certs", "--out", str(tmp_path / "certs"), "--host", "node-1"]
    printed = subprocess.run(program, check=True, capture_output=True, text=True, timeout=60).stdout
    folder = tmp_path / "certs"
    assert "keep" in printed
    names = {path.name for path in folder.iterdir()}
    assert names == {f"{name}.{end}" for name in ("ca", "scheduler", "worker", "client") for end in ("pem", "key")}
    for key in folder.glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    found = x509.load_pem_x509_certificate((folder / "worker.pem").read_bytes())
    alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "node-1" in alternatives.get_values_for_type(x509.DNSName)
    assert alternatives.get_values_for_type(x509.UniformResourceIdentifier) == ["dagrpc://role/worker"]
    assert works(security(folder))


def test_files_that_are_there_stay_until_they_are_renewed(tmp_path: Path) -> None:
    run("--out", str(tmp_path))
    authority, before = serial(tmp_path / "ca.pem"), serial(tmp_path / "client.pem")
    assert "--renew replaces it" in run("--out", str(tmp_path), "--role", "client")
    assert serial(tmp_path / "client.pem") == before
    run("--out", str(tmp_path), "--role", "caller")
    assert (tmp_path / "caller.pem").exists()
    run("--out", str(tmp_path), "--renew")
    assert serial(tmp_path / "client.pem") != before
    assert serial(tmp_path / "ca.pem") == authority
    assert works(security(tmp_path))


def test_processes_of_the_former_authority_are_understood_while_the_authority_changes(tmp_path: Path) -> None:
    run("--out", str(tmp_path))
    former = {name: (tmp_path / name).read_text() for name in ("client.pem", "client.key")}
    run("--out", str(tmp_path), "--new-authority")
    assert len(x509.load_pem_x509_certificates((tmp_path / "ca.pem").read_bytes())) == 2
    old_client = security(tmp_path, tls_client_cert=former["client.pem"], tls_client_key=former["client.key"])
    assert works(security(tmp_path), client=old_client)


@pytest.mark.parametrize("broken", ["ca.key", "ca.pem"])
def test_an_authority_that_is_not_whole_is_refused(tmp_path: Path, broken: str) -> None:
    run("--out", str(tmp_path))
    (tmp_path / broken).write_text("-----BEGIN NOTHING-----\n")
    outcome = CliRunner().invoke(certs, ["--out", str(tmp_path), "--renew"])
    assert outcome.exit_code == 1
    assert "are no authority" in outcome.output
    (tmp_path / "ca.key").unlink()
    outcome = CliRunner().invoke(certs, ["--out", str(tmp_path), "--renew"])
    assert "--new-authority" in outcome.output
