"""Logs for users: text that a notebook shows line by line."""

from __future__ import annotations

from dagrpc._common.markup import Markup, element, folded, joined


class Log(str):
    r"""A log: its lines as one text.

    Examples
    --------
    >>> print(Log("one\ntwo"))
    one
    two
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        lines = (element("div", line or "\N{NO-BREAK SPACE}") for line in self.split("\n"))
        return element("div", *lines, style="font-family: monospace; white-space: pre-wrap;")


class Logs(dict[str, Log]):
    """Logs by the name of the process.

    Examples
    --------
    >>> Logs({"Scheduler": Log("one")})
    {'Scheduler': 'one'}
    """

    def _repr_html_(self) -> str:
        return joined(*(folded(name, Markup(log._repr_html_())) for name, log in self.items()))
