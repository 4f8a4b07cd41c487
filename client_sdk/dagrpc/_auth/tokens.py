"""Tokens: secrets that callers send, and the digests by which services recognize them."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

logger = logging.getLogger("dagrpc.io")

ROLES = ("client", "scheduler", "worker", "caller")
"""The roles that a token can be limited to."""
ANY = ""
"""The key, in place of a role, of a token that is valid for all roles."""

_SHORTEST = 16
_DIGEST = "sha256:"


def check_token(token: str, what: str) -> str:
    """Return a token or digest after a check of its form.

    Parameters
    ----------
    token : str
        The token, or its digest: ``sha256:`` and 64 hexadecimal digits.
    what : str
        Its name in errors, which never contain the token.

    Raises
    ------
    ValueError
        If the token is too short to be a secret, or cannot be sent in a header.
    """
    if token.startswith(_DIGEST):
        digits = token[len(_DIGEST) :].strip().lower()
        if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
            raise ValueError(f"{what} is no digest: sha256: and 64 hexadecimal digits")
        return _DIGEST + digits
    if len(token) < _SHORTEST:
        raise ValueError(
            f"{what} is shorter than {_SHORTEST} characters, and would soon be guessed: "
            "python -c 'import secrets; print(secrets.token_urlsafe(32))' makes a good one"
        )
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ValueError(f"{what} has blanks or characters beyond ASCII: it could not travel in a header")
    return token


def read_tokens(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the tokens of a file by role.

    A line holds a token, which is for all roles, or ``role: token``. Empty lines and those with ``#`` are passed over.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If a line is malformed, or there is no token.
    """
    file = Path(path)
    found: dict[str, str] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        role, separator, token = text.partition(": ")
        if not separator:
            role, token = ANY, text
        where = f"line {number} of {file}"
        if role not in (ANY, *ROLES):
            raise ValueError(f"{where} begins with no role: there are {', '.join(ROLES)}")
        if role in found:
            raise ValueError(f"{where} holds a second token for the same role")
        found[role] = check_token(token.strip(), where)
    if not found:
        raise ValueError(f"there is no token in {file}")
    _warn_if_readable(file)
    return found


def _warn_if_readable(file: Path) -> None:
    if os.name == "posix" and file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("Other users can read the tokens in %s: chmod 600 %s", file, file)


def shown_by(role: str, tokens: Mapping[str, str]) -> str | None:
    """Return the token that a process of a role sends; None if there are no tokens.

    Raises
    ------
    ValueError
        If no token is usable by the role.
    """
    if not tokens:
        return None
    for name in (role, ANY):
        token = tokens.get(name)
        if token is not None and not token.startswith(_DIGEST):
            return token
    raise ValueError(
        f"There are tokens, but none that a {role} could show: give token or {role}_token, not only digests"
    )


def known_to(role: str, tokens: Mapping[str, str]) -> dict[str, str]:
    """Return the tokens for a process of a role: its own tokens, and digests of the others."""
    return {name: token if name in (role, ANY) else _DIGEST + _digest(token).hex() for name, token in tokens.items()}


class Accepted:
    """The tokens that a service accepts, kept as digests.

    Parameters
    ----------
    tokens : mapping
        Tokens or digests by role.
    """

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._digests = [
            (_digest(token), frozenset((role.encode(),) if role else ())) for role, token in tokens.items()
        ]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def roles(self, metadata: Iterable[tuple[str, str | bytes]]) -> frozenset[bytes] | None:
        """Return the roles of the token in a call's metadata, empty for all roles; None if it is not accepted."""
        shown = next((value for key, value in metadata if key == HEADER), None)
        if not isinstance(shown, str) or not shown.startswith(SCHEME):
            return None
        digest = hashlib.sha256(shown[len(SCHEME) :].encode()).digest()
        found = None
        # All digests are compared in full, so that the time reveals nothing about the token.
        for known, roles in self._digests:
            if hmac.compare_digest(known, digest):
                found = roles
        return found


HEADER = "authorization"
SCHEME = "Bearer "


def _digest(token: str) -> bytes:
    if token.startswith(_DIGEST):
        return bytes.fromhex(token[len(_DIGEST) :])
    return hashlib.sha256(token.encode()).digest()
