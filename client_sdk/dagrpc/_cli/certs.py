"""`dagrpc certs`: makes the certificates of a cluster, and renews them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dagrpc._auth.certificates import Authority

_ROLES = ("scheduler", "worker", "client")
_ALL_ROLES = (*_ROLES, "caller")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--out", default="certs", show_default=True, type=click.Path(path_type=Path), help="Folder of the files.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(_ALL_ROLES),
    help="A role that gets a certificate; may be given several times. [default: scheduler, worker, client]",
)
@click.option("--host", "hosts", multiple=True, help="A further host name or address in the certificates.")
@click.option("--days", default=365, show_default=True, type=click.IntRange(1), help="Days of validity.")
@click.option("--renew", is_flag=True, help="Replace certificates that are there, with the authority that is there.")
@click.option(
    "--new-authority", is_flag=True, help="Make a new authority beside the one that is there; ca.pem then has both."
)
def certs(out: Path, roles: Sequence[str], hosts: Sequence[str], days: int, renew: bool, new_authority: bool) -> None:
    """Make the certificates of a cluster: ca.pem, ca.key, and ROLE.pem and ROLE.key for each role.

    What is there stays, unless --renew is given. Processes need ca.pem and the two files of their role; keep ca.key
    where no process of the cluster can read it.
    """
    try:
        from dagrpc._auth.certificates import SERVER_NAME
    except ImportError:
        raise click.ClickException("dagrpc certs needs cryptography: pip install dagrpc[tls]") from None
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    valid = timedelta(days=days)
    authority = _authority(out, valid, new_authority)
    ends = datetime.now(UTC) + valid
    for role in roles or _ROLES:
        certificate, key = out / f"{role}.pem", out / f"{role}.key"
        if certificate.exists() and not (renew or new_authority):
            click.echo(f"{certificate} is there; --renew replaces it")
            continue
        try:
            texts = authority.issue(role, hosts, valid)
        except ValueError as error:
            raise click.ClickException(f"cannot name the hosts {', '.join(hosts)} in a certificate: {error}") from None
        _write(key, texts[1], private=True)
        _write(certificate, texts[0])
        names = ", ".join((SERVER_NAME, "localhost", *hosts))
        click.echo(f"{certificate} is valid until {ends:%Y-%m-%d}, for {names}")


def _authority(out: Path, valid: timedelta, new: bool) -> Authority:
    """Return the authority of a folder; make one if there is none, or another one is wanted."""
    from dagrpc._auth.certificates import Authority, certificate_text

    chain, key = out / "ca.pem", out / "ca.key"
    if key.exists() and not new:
        try:
            return Authority.from_pem(chain.read_bytes(), key.read_bytes())
        except (OSError, ValueError) as error:
            raise click.ClickException(f"{chain} and {key} are no authority: {error}") from None
    if chain.exists() and not new:
        raise click.ClickException(f"{chain} is there and {key} is not: give the key back, or --new-authority")
    # TLS libraries find the authority of a certificate by its name, so no two may have the same.
    authority = Authority.new(f"dagrpc authority {secrets.token_hex(4)}", valid)
    # The first certificate is the one that signs; former ones stay, for processes whose certificates they have signed.
    former = chain.read_text() if chain.exists() else ""
    _write(key, authority.key_text, private=True)
    _write(chain, certificate_text(authority.certificate) + former)
    click.echo(f"{chain} has {'another' if former else 'a new'} authority; keep {key} private")
    return authority


def _write(path: Path, text: str, private: bool = False) -> None:
    """Replace a file at once, so that a process never reads half of it."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644), "w") as file:
        file.write(text)
    temporary.replace(path)
