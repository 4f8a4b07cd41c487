"""Certificates of clusters: an authority, and a certificate for each role. Needs ``cryptography``."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER_NAME = "cluster.dagrpc.internal"
"""The host name in every temporary certificate, by which processes verify each other at any address."""
ROLE_PREFIX = "dagrpc://role/"
"""A certificate whose names include this URI with a role behind it is valid for this role only."""

_VALID = timedelta(days=365)
_CLOCKS_DIFFER = timedelta(hours=1)


class Authority:
    """A certificate authority: its key and certificate, with which it issues the certificates of roles."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self.certificate = certificate

    @classmethod
    def new(cls, name: str, valid: timedelta = _VALID) -> Authority:
        """Return an authority with a new key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _begun(subject, subject, key.public_key(), valid)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> Authority:
        """Return the authority of a certificate and its key; raise ValueError if they are no such pair."""
        found = x509.load_pem_x509_certificate(certificate)
        private = serialization.load_pem_private_key(key, password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != found.public_key():
            raise ValueError("the key is not the one of the certificate")
        return cls(private, found)

    @property
    def key_text(self) -> str:
        """The authority's key as PEM. It can issue certificates for any role."""
        return _key_text(self._key)

    def issue(self, role: str, hosts: Iterable[str] = (), valid: timedelta = _VALID) -> tuple[str, str]:
        """Return a certificate and a key for a role as PEM. `hosts` are further names of its hosts."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"dagrpc {role}")])
        certificate = (
            _begun(subject, self.certificate.subject, key.public_key(), valid)
            .add_extension(x509.SubjectAlternativeName(_names(role) + [_name(host) for host in hosts]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return certificate_text(certificate), _key_text(key)


def temporary_certificates(roles: Iterable[str]) -> dict[str, str]:
    """Return the fields of a `Security`: an authority, and a certificate and key for each role.

    The authority's key is not kept, so no further certificates can be signed.
    """
    authority = Authority.new("dagrpc temporary authority")
    fields = {"tls_ca_file": certificate_text(authority.certificate)}
    for role in roles:
        fields[f"tls_{role}_cert"], fields[f"tls_{role}_key"] = authority.issue(role)
    return fields


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, valid: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + valid)
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_text(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _names(role: str) -> list[x509.GeneralName]:
    return [
        x509.DNSName(SERVER_NAME),
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
        x509.UniformResourceIdentifier(f"{ROLE_PREFIX}{role}"),
    ]


def _usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def certificate_text(certificate: x509.Certificate) -> str:
    """Return a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
