"""Credentials for channels and servers, made from a `Security`: TLS and tokens."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from typing import Any

import grpc

from dagrpc import config
from dagrpc._auth.tokens import Accepted
from dagrpc._common.addresses import is_loopback, join_address, without_scheme
from dagrpc._process.as_distributed import is_asked
from dagrpc._rpc import grpc_options
from dagrpc.security import Security

logger = logging.getLogger("dagrpc.io")

_PROTOCOLS = ("", "tcp", "grpc", "tls", "grpcs", "inproc")
_CIPHERS_VARIABLE = "GRPC_SSL_CIPHER_SUITES"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of a process in one role, for its channels and its server."""

    channel: grpc.ChannelCredentials | None = field(repr=False)
    """TLS credentials of channels. None: no TLS."""
    server: grpc.ServerCredentials | None = field(repr=False)
    channel_options: grpc_options.Options
    """Options that all channels need beside their own."""
    security: Security
    role: str
    token: str | None = field(default=None, repr=False)
    """The token that is sent with every call. None: no token."""
    accepted: Accepted | None = field(default=None, repr=False)
    """The tokens that the server accepts. None: calls need no token."""


def credentials_of(security: Any, role: str) -> Credentials | None:
    """Return the credentials of a process; None if it uses neither TLS nor tokens.

    Parameters
    ----------
    security : Security, mapping or None
        The user's argument. None: the configuration decides.
    role : {"client", "scheduler", "worker"}
        The role whose certificate and token are used.

    Raises
    ------
    TypeError, ValueError, OSError
        If `security` cannot be used.
    RuntimeError
        If encryption is required and there is no certificate.
    """
    security = Security.of(security)
    token = security.token_of(role)
    accepted = Accepted(security.tokens) if security.tokens else None
    if not security.has_tls(role):
        return Credentials(None, None, [], security, role, token, accepted) if accepted else None
    if security.tls_ciphers and os.environ.get(_CIPHERS_VARIABLE) != security.tls_ciphers:
        raise ValueError(
            f"tls_ciphers: gRPC takes ciphers from the environment only; start this process with "
            f"{_CIPHERS_VARIABLE}={security.tls_ciphers}"
        )
    authority, chain, key = security.pem(role)
    name = security.server_name
    return Credentials(
        grpc.ssl_channel_credentials(authority, key, chain),
        # A caller without a certificate of the same authority is refused in the handshake.
        grpc.ssl_server_credentials([(key, chain)], authority, require_client_auth=True),
        [("grpc.ssl_target_name_override", name)] if name else [],
        security,
        role,
        token,
        accepted,
    )


def shown_address(address: str, credentials: Credentials | None) -> str:
    """Return ``host:port`` as users see it: with a scheme if `comm.show-scheme` says so."""
    wanted = config.get("comm.show-scheme")
    if not (is_asked() if wanted is None else wanted):
        return address
    encrypted = credentials is not None and credentials.channel is not None
    return f"{'tls' if encrypted else 'tcp'}://{without_scheme(address)}"


def warn_if_open(who: str, address: str, host: str, credentials: Credentials | None) -> None:
    """Log a warning if any process on the network can call a service."""
    if credentials is None and not is_loopback(join_address(host, 0)):
        logger.warning(
            "%s at %s is open to the network without TLS or token: everyone who reaches it can run code on the cluster",
            who,
            address,
        )


def check_address(address: Any, security: Security, role: str) -> None:
    """Raise if the scheme of a user's address contradicts the security.

    Parameters
    ----------
    address : str or other
        The address; only its scheme matters.

    Raises
    ------
    RuntimeError
        If encryption is required and the address has a scheme without TLS.
    TypeError
        If the address has a scheme with TLS, and there are no certificates.
    """
    scheme = address.partition("://")[0] if isinstance(address, str) and "://" in address else ""
    if security.require_encryption and scheme in ("tcp", "grpc"):
        raise RuntimeError(f"Encryption is required; refusing to talk to {address!r}: write tls://")
    if scheme in ("tls", "grpcs") and not security.has_tls(role):
        raise TypeError(f"Address {address!r} says TLS, and there are no certificates: give security=, or set comm.tls")


def check_protocol(protocol: str | None, security: Security, role: str) -> None:
    """Raise if dagrpc cannot replace a protocol of distributed, or the security contradicts it.

    Raises
    ------
    ValueError
        For a protocol that is not supported; names the supported protocols.
    RuntimeError, TypeError
        If the protocol requires or excludes TLS, and the security does not.
    """
    name = (protocol or "").removesuffix("://")
    if name not in _PROTOCOLS:
        raise ValueError(
            f"protocol={protocol!r} is not spoken here: all servers speak gRPC over TCP; "
            "leave it out, or give 'tcp', 'grpc' or 'tls'"
        )
    if security.require_encryption and name in ("tcp", "grpc"):
        raise RuntimeError(f"Encryption is required, and protocol={protocol!r} has no encryption: write 'tls'")
    if name in ("tls", "grpcs") and not security.has_tls(role):
        raise TypeError(f"protocol={protocol!r} needs certificates: give security=, or set comm.tls")
