"""The check of a caller's roles, and the role of a certificate. The option `access` of each rpc names its roles.

A certificate whose names include the URI ``dagrpc://role/ROLE`` is valid for this role; a certificate without such a
URI is valid for every role. A token, too, is valid for one role or for every role. Every caller may check the
health, and every caller that is let in may use reflection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from dagrpc.exceptions import CodeNotAllowedError
from dagrpc.v1 import access_table

_PREFIX = b"dagrpc://role/"

ALLOWED = {rpc: frozenset(roles.encode().split()) for rpc, roles in access_table.ROLES.items()}
"""The roles that may call an rpc, by ``Service.Method``, as in the contract. No role may call any other rpc."""

RUNS_CODE_ON_SCHEDULER = frozenset(access_table.RUNS_CODE_ON_SCHEDULER)
"""The rpcs that bring code to the scheduler itself, which refuses them unless it was started with `--allow-code`."""

_NOBODY: frozenset[bytes] = frozenset()


CALLER = frozenset((b"caller",))
"""The role of those who call registered functions, and never ship code."""


def roles_in(identities: Iterable[bytes] | None) -> frozenset[bytes]:
    """Return the roles that the names in a certificate say; none if it is for any."""
    return frozenset(name[len(_PREFIX) :] for name in identities or () if name.startswith(_PREFIX))


def check_role(rpc: str, roles: Collection[bytes], of: str) -> None:
    """Raise `CodeNotAllowedError` if a caller has roles and none of them may call the rpc ``Service.Method``.

    `of` is the source of the roles, ``certificate`` or ``token``, for the message.
    """
    if roles and ALLOWED.get(rpc, _NOBODY).isdisjoint(roles):
        names = " and ".join(sorted(role.decode("utf-8", "replace") for role in roles))
        raise CodeNotAllowedError(f"{rpc} is not for the role {names}, which the caller's {of} is for")
