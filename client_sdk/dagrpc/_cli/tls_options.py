"""The flags for TLS and tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from dagrpc.security import Security

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(dir_okay=False)


def tls_options(function: F) -> F:
    """Add ``--tls-ca-file``, ``--tls-cert``, ``--tls-key`` and ``--token-file`` to a command."""
    for name, text in (
        ("--token-file", "File with the token, or tokens by role, that callers show."),
        ("--tls-key", "Key of this service; if absent, it is in the certificate's file. [PEM]"),
        ("--tls-cert", "Certificate of this service. [PEM]"),
        ("--tls-ca-file", "Certificate authority of the cluster: turns TLS on. [PEM]"),
    ):
        function = click.option(name, type=_FILE, help=text)(function)
    return function


def security_from(
    role: str, ca_file: str | None, cert: str | None, key: str | None, token_file: str | None
) -> dict[str, Any]:
    """Return the fields of a `Security` from the flags of a command for a service of a role.

    Raises UsageError if the flags and the configuration together make no valid security.
    """
    given = {"tls_ca_file": ca_file, f"tls_{role}_cert": cert, f"tls_{role}_key": key, "token_file": token_file}
    fields: dict[str, Any] = {name: value for name, value in given.items() if value}
    try:
        security = Security(**fields)
        if security.has_tls(role):
            security.pem(role)
        security.token_of(role)
    except (OSError, ValueError, RuntimeError) as error:
        raise click.UsageError(str(error)) from None
    return fields
