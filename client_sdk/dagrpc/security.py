"""Security: the certificates and tokens with which the processes of a cluster authenticate each other."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagrpc import config
from dagrpc._auth.tokens import ANY, check_token, known_to, read_tokens, shown_by
from dagrpc._auth.tokens import ROLES as TOKEN_ROLES

ROLES = ("client", "scheduler", "worker")

_PEM_FIELDS = {
    "tls_ca_file": "comm.tls.ca-file",
    "tls_client_cert": "comm.tls.client.cert",
    "tls_client_key": "comm.tls.client.key",
    "tls_scheduler_cert": "comm.tls.scheduler.cert",
    "tls_scheduler_key": "comm.tls.scheduler.key",
    "tls_worker_cert": "comm.tls.worker.cert",
    "tls_worker_key": "comm.tls.worker.key",
}
"""Settings by field: paths of PEM files, or their text."""
_TOKEN_SETTINGS = {
    ANY: "comm.token",
    "client": "comm.tokens.client",
    "scheduler": "comm.tokens.scheduler",
    "worker": "comm.tokens.worker",
    "caller": "comm.tokens.caller",
}
_TOKEN_FIELDS = {"token": ANY, **{f"{role}_token": role for role in TOKEN_ROLES}}
"""Roles by field."""
_FIELDS = (
    "tls_ciphers",
    "tls_min_version",
    "tls_max_version",
    *_PEM_FIELDS,
    "extra_conn_args",
    "token_file",
    *_TOKEN_FIELDS,
)
_VERSIONS = {
    "tls_min_version": (None, ssl.TLSVersion.TLSv1_2),
    "tls_max_version": (None, ssl.TLSVersion.TLSv1_3),
}
_BY_NUMBER = {1.2: ssl.TLSVersion.TLSv1_2, 1.3: ssl.TLSVersion.TLSv1_3}


class Security:
    """Certificates, keys and tokens of processes, by role.

    Missing arguments come from the configuration, ``comm.tls`` and ``comm.require-encryption``. With a certificate
    authority and a certificate for a role, all connections of processes of that role are encrypted, and both sides of
    each connection show a certificate of the authority.

    Parameters
    ----------
    require_encryption : bool, optional
        Refuse to run without TLS.
    tls_ca_file : str, optional
        The certificate authority. Like all certificates and keys, the path of a PEM file, or its text.
    tls_client_cert, tls_client_key, tls_scheduler_cert, tls_scheduler_key, tls_worker_cert, tls_worker_key : optional
        Certificate and key by role. Nannies use those of workers. Without a key, it is in the certificate's file.
    tls_ciphers : str, optional
        The ciphers to offer. gRPC reads them from the environment variable ``GRPC_SSL_CIPHER_SUITES``, whose value must
        be the same.
    tls_min_version, tls_max_version : ssl.TLSVersion, optional
        Only 1.2 and 1.3 are accepted, the fixed bounds of gRPC.
    extra_conn_args : dict, optional
        ``server_hostname``: the name that certificates of other processes must have, in place of the host's name.
    token : str, optional
        A secret of the cluster. With a token, services refuse calls that do not show it.
    client_token, worker_token, scheduler_token, caller_token : str, optional
        Tokens of one role each. A process that only checks a token can have its digest, ``sha256:...``.
    token_file : str, optional
        File with a token, or with lines ``role: token``.

    Raises
    ------
    TypeError
        If an argument is unknown.
    ValueError
        If a TLS version is not supported, or a token is malformed.
    OSError
        If the token file cannot be read.

    Examples
    --------
    >>> from dagrpc import Security
    >>> Security(tls_ca_file="ca.pem", tls_client_cert="me.pem", require_encryption=True)
    Security(require_encryption=True, tls_ca_file='ca.pem', tls_client_cert='me.pem')
    """

    tls_client_cert: str | None
    tls_client_key: str | None
    tls_scheduler_cert: str | None
    tls_scheduler_key: str | None
    tls_worker_cert: str | None
    tls_worker_key: str | None
    tls_min_version: ssl.TLSVersion | None
    tls_max_version: ssl.TLSVersion | None

    # Any: type checkers match the values of `Security(**fields)` with the first argument, too.
    def __init__(self, require_encryption: bool | Any = None, **kwargs: Any) -> None:
        unknown = sorted(set(kwargs) - set(_FIELDS))
        if unknown:
            raise TypeError(f"Security got unknown arguments: {', '.join(unknown)}")
        self.require_encryption = bool(config.get("comm.require-encryption", require_encryption))
        self.given = any(kwargs.get(name) for name in _PEM_FIELDS)
        """Whether arguments have certificates; otherwise only the configuration may."""
        self.tls_ca_file: str | None = None
        self.tls_ciphers: str | None = config.get("comm.tls.ciphers", kwargs.get("tls_ciphers"))
        self.extra_conn_args: dict[str, Any] = dict(kwargs.get("extra_conn_args") or {})
        for name, key in _PEM_FIELDS.items():
            value = kwargs.get(name)
            setattr(self, name, config.get(key, None if value is None else os.fspath(value)))
        for name, setting in (("tls_min_version", "comm.tls.min-version"), ("tls_max_version", "comm.tls.max-version")):
            value = kwargs.get(name)
            if value is None:
                number = config.get(setting)
                value = number if number is None else _BY_NUMBER.get(float(number), number)
            if value not in _VERSIONS[name]:
                raise ValueError(
                    f"{name}={value!r} is not supported: gRPC always speaks TLS 1.2 and 1.3; "
                    f"leave it out, or give {_VERSIONS[name][1]!r}"
                )
            setattr(self, name, value)

        self.tokens = _tokens(kwargs)
        """Tokens, or digests of them, by role; ``""`` for all roles."""

    @classmethod
    def temporary(cls, **kwargs: Any) -> Security:
        """Return a security with a new authority and certificates for all roles, in memory, valid for a year.

        Parameters
        ----------
        **kwargs
            Arguments of `Security`.

        Raises
        ------
        ImportError
            If the package ``cryptography`` is not installed.

        Examples
        --------
        >>> from dagrpc import Client, LocalCluster, Security
        >>> with LocalCluster(n_workers=1, security=Security.temporary()) as cluster, Client(cluster) as client:
        ...     client.submit(sum, [1, 2, 3]).result()
        6
        """
        try:
            from dagrpc._auth.certificates import SERVER_NAME, temporary_certificates
        except ImportError:
            raise ImportError("Security.temporary needs the package cryptography: pip install 'dagrpc[tls]'") from None
        given = {**temporary_certificates(ROLES), "require_encryption": True, **kwargs}
        given["extra_conn_args"] = {"server_hostname": SERVER_NAME, **(kwargs.get("extra_conn_args") or {})}
        return cls(**given)

    @classmethod
    def of(cls, value: Any) -> Security:
        """Return the security for an argument: a `Security`, its fields, or None; TypeError for anything else."""
        if value is None:
            return cls()
        if isinstance(value, Security):
            return value
        if isinstance(value, Mapping):
            return cls(**value)
        raise TypeError(f"security must be a Security, or a dict of its arguments, not {type(value).__name__}")

    def without_tls(self) -> Security:
        """Return a copy without certificates, whatever the configuration has."""
        plain = Security(require_encryption=self.require_encryption)
        for name in _PEM_FIELDS:
            setattr(plain, name, None)
        plain.tokens = dict(self.tokens)
        return plain

    def fields(self) -> dict[str, Any]:
        """Return the arguments of an equal security, keys included, for a process of the same user."""
        found = {name: getattr(self, name) for name in _FIELDS if name not in _VERSIONS and getattr(self, name, None)}
        found |= {name: self.tokens[role] for name, role in _TOKEN_FIELDS.items() if role in self.tokens}
        if self.require_encryption:
            found["require_encryption"] = True
        return found

    def fields_for(self, role: str) -> dict[str, Any]:
        """Return the arguments for a process of a role, without the secrets of other roles."""
        foreign = {name for name in _PEM_FIELDS if name != "tls_ca_file" and not name.startswith(f"tls_{role}_")}
        foreign |= set(_TOKEN_FIELDS)
        tokens = known_to(role, self.tokens)
        found = {name: value for name, value in self.fields().items() if name not in foreign}
        return found | {name: tokens[of] for name, of in _TOKEN_FIELDS.items() if of in tokens}

    def __repr__(self) -> str:
        # Keys given as text, and tokens, are secrets.
        shown = {
            name: "<in memory>" if _is_text(value) or name in _TOKEN_FIELDS else repr(value)
            for name, value in self.fields().items()
            if name != "extra_conn_args"
        }
        shown = {"require_encryption": repr(self.require_encryption), **shown}
        return f"Security({', '.join(f'{name}={text}' for name, text in shown.items())})"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<code>{escape(repr(self))}</code>"

    # --- by role -------------------------------------------------------------------------------------------------

    @property
    def server_name(self) -> str | None:
        """The name that certificates of other processes must have; None: the name of their host."""
        name = self.extra_conn_args.get("server_hostname") or config.get("comm.tls.server-name")
        return None if name is None else str(name)

    def token_of(self, role: str) -> str | None:
        """Return the token that a process of a role shows; None if there are no tokens.

        Raises
        ------
        ValueError
            If there are tokens, but none for the role.

        Examples
        --------
        >>> Security(token="a-secret-of-this-cluster").token_of("client")
        'a-secret-of-this-cluster'
        """
        return shown_by(role, self.tokens)

    def get_tls_config_for_role(self, role: str) -> dict[str, Any]:
        """Return the certificate authority, the ciphers, and a role's certificate and key, as given.

        Raises
        ------
        ValueError
            If there is no such role.

        Examples
        --------
        >>> security = Security(tls_ca_file="ca.pem", tls_client_cert="me.pem")
        >>> security.get_tls_config_for_role("client")
        {'ca_file': 'ca.pem', 'ciphers': None, 'cert': 'me.pem', 'key': None}
        """
        if role not in ROLES:
            raise ValueError(f"unknown role {role!r}; there are {', '.join(ROLES)}")
        return {
            "ca_file": self.tls_ca_file,
            "ciphers": self.tls_ciphers,
            "cert": getattr(self, f"tls_{role}_cert"),
            "key": getattr(self, f"tls_{role}_key"),
        }

    def get_connection_args(self, role: str) -> dict[str, Any]:
        """Return ``ssl_context``, ``require_encryption`` and ``extra_conn_args`` for connections of a role.

        The context is Python's, for other uses of the certificates; None if the role has no certificate.

        Examples
        --------
        >>> sorted(Security().get_connection_args("client"))
        ['extra_conn_args', 'require_encryption', 'ssl_context']
        """
        return {
            "ssl_context": self._context(role, ssl.Purpose.SERVER_AUTH),
            "require_encryption": self.require_encryption,
            "extra_conn_args": dict(self.extra_conn_args),
        }

    def get_listen_args(self, role: str) -> dict[str, Any]:
        """Return ``ssl_context`` and ``require_encryption`` for servers of a role.

        Examples
        --------
        >>> sorted(Security().get_listen_args("worker"))
        ['require_encryption', 'ssl_context']
        """
        return {
            "ssl_context": self._context(role, ssl.Purpose.CLIENT_AUTH),
            "require_encryption": self.require_encryption,
        }

    def has_tls(self, role: str) -> bool:
        """Return whether a role has a certificate, a key and an authority for TLS.

        Raises
        ------
        ValueError
            If the role has only some of the three.
        RuntimeError
            If the role has none of them, and encryption is required.

        Examples
        --------
        >>> Security().has_tls("client"), Security.temporary().has_tls("client")
        (False, True)
        """
        found = self.get_tls_config_for_role(role)
        missing = [
            field
            for field, value in (("tls_ca_file", found["ca_file"]), (f"tls_{role}_cert", found["cert"]))
            if not value
        ]
        if not missing:
            return True
        if self.given:
            raise ValueError(f"Security has certificates, but no {' and no '.join(missing)}, which a {role} needs")
        if self.require_encryption:
            raise RuntimeError(
                f"Encryption is required (comm.require-encryption), and there is no {' and no '.join(missing)} for "
                f"the {role}: give security=, or set comm.tls"
            )
        return False

    def pem(self, role: str) -> tuple[bytes, bytes, bytes]:
        """Return certificate authority, certificate and key of a role.

        Raises
        ------
        OSError
            If a file cannot be read. The message names it.
        ValueError
            If a file has no PEM.
        """
        found = self.get_tls_config_for_role(role)
        cert = found["cert"]
        parts = {"tls_ca_file": found["ca_file"], f"tls_{role}_cert": cert, f"tls_{role}_key": found["key"] or cert}
        authority, chain, key = (_read(field, value) for field, value in parts.items())
        return authority, chain, key

    def _context(self, role: str, purpose: ssl.Purpose) -> ssl.SSLContext | None:
        found = self.get_tls_config_for_role(role)
        if not (found["ca_file"] and found["cert"]):
            return None
        authority, chain, key = self.pem(role)
        context = ssl.create_default_context(purpose, cadata=authority.decode())
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = False
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.tls_ciphers:
            context.set_ciphers(self.tls_ciphers)
        _load(context, chain, key)
        return context


def _tokens(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the tokens by role: the given ones, or else the configured ones."""
    if any(given.get(name) for name in ("token_file", *_TOKEN_FIELDS)):
        file, single = given.get("token_file"), {role: given.get(name) for name, role in _TOKEN_FIELDS.items()}
    else:
        file = config.get("comm.token-file")
        single = {role: config.get(key) for role, key in _TOKEN_SETTINGS.items()}
    found = read_tokens(file) if file else {}
    named = {role: name for name, role in _TOKEN_FIELDS.items()}
    return found | {role: check_token(str(token), named[role]) for role, token in single.items() if token}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and ("\n" in value or "-----BEGIN" in value)


def _read(field: str, value: str) -> bytes:
    data = value.encode() if _is_text(value) else Path(value).read_bytes()
    if b"-----BEGIN" not in data:
        raise ValueError(f"{field} is not PEM: there is no line -----BEGIN ...-----")
    return data


def _load(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    """Load a certificate into a context. Python reads certificates only from files: a temporary one of this user."""
    import tempfile

    with tempfile.NamedTemporaryFile(prefix="dagrpc-") as file:
        file.write(chain + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name)
