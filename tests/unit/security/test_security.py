"""Security: what it takes, shows and refuses."""

import pickle
import ssl
from pathlib import Path

import dask
import pytest

from dagrpc import Security
from dagrpc._auth.credentials import check_address, check_protocol, credentials_of, warn_if_open
from tests.unit.security.certificates import Authority

ROLES = ("client", "scheduler", "worker")


def test_fields_that_a_security_refuses() -> None:
    with pytest.raises(TypeError, match="unknown arguments: tls_color"):
        Security(tls_color="red")
    for versions in ({"tls_min_version": ssl.TLSVersion.TLSv1_3}, {"tls_max_version": ssl.TLSVersion.TLSv1_2}):
        with pytest.raises(ValueError, match=r"gRPC always speaks TLS 1\.2 and 1\.3"):
            Security(**versions)
    with pytest.raises(ValueError, match="unknown role 'nurse'"):
        Security().get_tls_config_for_role("nurse")
    with pytest.raises(TypeError, match="security must be a Security"):
        Security.of(5)


def test_without_anything_there_is_no_tls() -> None:
    security = Security()
    assert security.require_encryption is False
    assert credentials_of(security, "client") is None
    assert security.get_connection_args("client") == {
        "ssl_context": None,
        "require_encryption": False,
        "extra_conn_args": {},
    }
    assert security.get_listen_args("worker") == {"ssl_context": None, "require_encryption": False}


def test_by_role() -> None:
    security = Security(tls_ca_file="ca.pem", tls_client_cert="cert.pem", tls_client_key="key.pem")
    assert security.get_tls_config_for_role("client") == {
        "ca_file": "ca.pem",
        "ciphers": None,
        "cert": "cert.pem",
        "key": "key.pem",
    }
    assert security.get_tls_config_for_role("worker")["cert"] is None
    # Going without TLS is not what somebody wants who gives certificates.
    with pytest.raises(ValueError, match="no tls_worker_cert"):
        credentials_of(security, "worker")
    with pytest.raises(FileNotFoundError, match=r"ca\.pem"):
        credentials_of(security, "client")


def test_from_the_configuration(tmp_path: Path) -> None:
    fields = Authority(tmp_path).fields("client")
    settings = {
        "dagrpc.comm.tls.ca-file": fields["tls_ca_file"],
        "distributed.comm.tls.client.cert": fields["tls_client_cert"],
        "distributed.comm.tls.client.key": fields["tls_client_key"],
    }
    with dask.config.set(settings):
        assert credentials_of(None, "client") is not None
        # Certificates for other roles are no reason for this one to do without its work.
        assert credentials_of(None, "worker") is None
        assert Security().without_tls().has_tls("client") is False
    with dask.config.set({"distributed.comm.require-encryption": True}):
        assert Security().require_encryption is True
        with pytest.raises(RuntimeError, match="Encryption is required"):
            credentials_of(None, "client")
    with (
        dask.config.set({"distributed.comm.tls.min-version": 1.3}),
        pytest.raises(ValueError, match="tls_min_version"),
    ):
        Security()


def test_temporary_certificates_are_in_memory_and_not_shown() -> None:
    security = Security.temporary()
    assert security.require_encryption is True
    for role in ROLES:
        config = security.get_tls_config_for_role(role)
        assert config["cert"].startswith("-----BEGIN CERTIFICATE")
        assert "PRIVATE KEY" in config["key"]
        assert isinstance(security.get_connection_args(role)["ssl_context"], ssl.SSLContext)
        assert isinstance(security.get_listen_args(role)["ssl_context"], ssl.SSLContext)
    assert "BEGIN" not in repr(security) + security._repr_html_()
    assert "tls_client_key=<in memory>" in repr(security)
    assert security.fields() == pickle.loads(pickle.dumps(security)).fields() == Security(**security.fields()).fields()
    assert Security.temporary().tls_ca_file != security.tls_ca_file
    assert Security.temporary(require_encryption=False).require_encryption is False


def test_key_and_certificate_in_one_file(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = (Path(file).read_text() for file in authority.issue("both"))
    (tmp_path / "both").write_text(certificate + key)
    assert credentials_of({"tls_ca_file": authority.file, "tls_client_cert": str(tmp_path / "both")}, "client")
    (tmp_path / "none").write_text("nothing")
    with pytest.raises(ValueError, match="tls_client_key is not PEM"):
        Security(tls_ca_file=authority.file, tls_client_cert=certificate, tls_client_key=str(tmp_path / "none")).pem(
            "client"
        )


def test_ciphers_are_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = Authority(tmp_path).fields("client")
    with pytest.raises(ValueError, match="GRPC_SSL_CIPHER_SUITES=ECDHE-RSA-AES128-GCM-SHA256"):
        credentials_of({**fields, "tls_ciphers": "ECDHE-RSA-AES128-GCM-SHA256"}, "client")
    monkeypatch.setenv("GRPC_SSL_CIPHER_SUITES", "ECDHE-RSA-AES128-GCM-SHA256")
    assert credentials_of({**fields, "tls_ciphers": "ECDHE-RSA-AES128-GCM-SHA256"}, "client")


def test_schemes(tmp_path: Path) -> None:
    plain, encrypted = Security(), Security(require_encryption=True, **Authority(tmp_path).fields("client"))
    for address in ("tcp://h:1", "h:1", "grpc://h:1"):
        check_address(address, plain, "client")
    for address in ("tls://h:1", "h:1", "grpcs://h:1"):
        check_address(address, encrypted, "client")
    with pytest.raises(TypeError, match="says TLS, and there are no certificates"):
        check_address("tls://h:1", plain, "client")
    with pytest.raises(RuntimeError, match="Encryption is required; refusing"):
        check_address("tcp://h:1", encrypted, "client")


def test_protocols(tmp_path: Path) -> None:
    plain, encrypted = Security(), Security(require_encryption=True, **Authority(tmp_path).fields("worker"))
    for protocol in (None, "tcp", "tcp://", "grpc", "inproc"):
        check_protocol(protocol, plain, "worker")
    for protocol in (None, "tls", "tls://", "grpcs", "inproc"):
        check_protocol(protocol, encrypted, "worker")
    with pytest.raises(ValueError, match="'ucx' is not spoken"):
        check_protocol("ucx", plain, "worker")
    with pytest.raises(TypeError, match="needs certificates"):
        check_protocol("tls://", plain, "worker")
    with pytest.raises(RuntimeError, match="Encryption is required"):
        check_protocol("tcp", encrypted, "worker")


def test_open_services_are_warned_of(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    credentials = credentials_of(Authority(tmp_path).fields("worker"), "worker")
    warn_if_open("Worker", "127.0.0.1:1", "127.0.0.1", None)
    warn_if_open("Worker", "10.0.0.1:1", "0.0.0.0", credentials)
    assert not caplog.records
    warn_if_open("Worker", "10.0.0.1:1", "0.0.0.0", None)
    (record,) = caplog.records
    assert "Worker at 10.0.0.1:1 is open to the network without TLS or token" in record.getMessage()
