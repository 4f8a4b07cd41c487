"""Logs for users: text that a notebook shows line by line."""

from __future__ import annotations

from html import escape


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
        lines = "".join(f"<div>{escape(line) or '&nbsp;'}</div>" for line in self.split("\n"))
        return f'<div style="font-family: monospace; white-space: pre-wrap;">{lines}</div>'


class Logs(dict[str, Log]):
    """Logs by the name of the process.

    Examples
    --------
    >>> Logs({"Scheduler": Log("one")})
    {'Scheduler': 'one'}
    """

    def _repr_html_(self) -> str:
        return "".join(
            f"<details><summary>{escape(str(name))}</summary>{log._repr_html_()}</details>"
            for name, log in self.items()
        )
