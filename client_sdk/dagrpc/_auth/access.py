"""The check of a call's certificate and token against the table of roles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dagrpc._auth.credentials import Credentials
from dagrpc._auth.roles import CALLER, check_role, roles_in
from dagrpc._auth.tokens import HEADER, SCHEME
from dagrpc.exceptions import NotAuthenticatedError


class Access:
    """Lets calls in or refuses them.

    Parameters
    ----------
    credentials : Credentials or None
        The service's credentials. None: all callers may call everything.
    """

    def __init__(self, credentials: Credentials | None) -> None:
        self._tls = credentials is not None and credentials.server is not None
        self._tokens = credentials.accepted if credentials is not None and credentials.accepted else None
        self.open = not self._tls and self._tokens is None
        """Whether all calls are let in."""

    def check(self, rpc: str, context: Any, by_role: bool = True) -> None:
        """Raise unless a call is let in.

        Parameters
        ----------
        rpc : str
            ``Service.Method``.
        context : grpc.aio.ServicerContext
            The call's context.
        by_role : bool
            False for methods that every role may call.

        Raises
        ------
        NotAuthenticatedError
            If a token is required, and the call has no accepted token.
        CodeNotAllowedError
            If the method is not allowed for any role of the call's certificate or token.
        """
        if self._tokens is not None:
            roles = self._tokens.roles(context.invocation_metadata())
            if roles is None:
                raise NotAuthenticatedError(
                    f"{rpc} wants a token, and the call has none that is accepted here: "
                    "give security=Security(token=...), or set comm.token-file"
                )
            if by_role:
                check_role(rpc, roles, "token")
        if self._tls and by_role:
            check_role(rpc, roles_in(context.peer_identities()), "certificate")

    def may_ship_code(self, context: Any) -> bool:
        """Return whether a caller may send code, or only call registered functions."""
        if self._tokens is not None and self._tokens.roles(context.invocation_metadata()) == CALLER:
            return False
        return not (self._tls and roles_in(context.peer_identities()) == CALLER)

    def accepts_certificate(self, names: Iterable[bytes]) -> bool:
        """Return whether a verified certificate with these names, shown in an HTTP request, is valid for clients."""
        roles = roles_in(names)
        return self._tls and self._tokens is None and (not roles or b"client" in roles)

    def accepts_token(self, token: str, role: bytes = b"client") -> bool:
        """Return whether a token from an HTTP request is valid for clients, or for another role."""
        if self._tokens is None:
            return False
        roles = self._tokens.roles([(HEADER, SCHEME + token)])
        return roles is not None and (not roles or role in roles)
