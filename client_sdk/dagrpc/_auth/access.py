"""Who may call: the certificate and the token that a call came with, against the table of roles."""

from __future__ import annotations

from typing import Any

from dagrpc._auth.credentials import Credentials
from dagrpc._auth.roles import CALLER, check_role, roles_in
from dagrpc._auth.tokens import HEADER, SCHEME
from dagrpc.exceptions import NotAuthenticatedError


class Access:
    """Lets calls in, or refuses them.

    Parameters
    ----------
    credentials : Credentials or None
        Of the service. None: everybody may do everything.
    """

    def __init__(self, credentials: Credentials | None) -> None:
        self._tls = credentials is not None and credentials.server is not None
        self._tokens = credentials.accepted if credentials is not None and credentials.accepted else None
        self.open = not self._tls and self._tokens is None
        """Whether there is nothing to check."""

    def check(self, rpc: str, context: Any, by_role: bool = True) -> None:
        """Raise unless a call may go on.

        Parameters
        ----------
        rpc : str
            ``Service.Method``.
        context : grpc.aio.ServicerContext
            Of the call.
        by_role : bool
            Whether it is not for all roles alike.

        Raises
        ------
        NotAuthenticatedError
            If tokens are wanted, and it has none that is accepted.
        CodeNotAllowedError
            If its certificate or its token is for roles of which none may call this.
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
        """Return whether a caller that was let in may send code, rather than call registered functions only."""
        if self._tokens is not None and self._tokens.roles(context.invocation_metadata()) == CALLER:
            return False
        return not (self._tls and roles_in(context.peer_identities()) == CALLER)

    def accepts_token(self, token: str) -> bool:
        """Return whether a token that came over HTTP is one of a client, or of all roles."""
        if self._tokens is None:
            return False
        roles = self._tokens.roles([(HEADER, SCHEME + token)])
        return roles is not None and (not roles or b"client" in roles)
