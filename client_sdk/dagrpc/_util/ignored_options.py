"""Options of commands that users of distributed know and that change nothing here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def ignored(*declarations: str, why: str) -> Callable[[F], F]:
    """Have a command accept options, and say that they change nothing.

    Parameters
    ----------
    declarations : str
        As for `click.option`; flags have a slash: ``--dashboard/--no-dashboard``.
    why : str
        What to say.
    """

    def tell(_: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            click.echo(f"{parameter.opts[0]} changes nothing: {why}", err=True)

    def add(function: F) -> F:
        for declaration in declarations:
            function = click.option(declaration, default=None, hidden=True, expose_value=False, callback=tell)(function)
        return function

    return add
