"""Options of commands that users of distributed know and that change nothing here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_NOTED = "dagrpc.ignored-options"


def ignored(*declarations: str, why: str) -> Callable[[F], F]:
    """Have a command accept options that change nothing; `tell_of_ignored` says so.

    Parameters
    ----------
    declarations : str
        As for `click.option`; flags have a slash: ``--dashboard/--no-dashboard``.
    why : str
        What to say.
    """

    def note(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            given = (parameter.secondary_opts if value is False else parameter.opts)[0]
            context.meta.setdefault(_NOTED, []).append(f"{given} changes nothing: {why}")

    def add(function: F) -> F:
        for declaration in declarations:
            function = click.option(declaration, default=None, hidden=True, expose_value=False, callback=note)(function)
        return function

    return add


def tell_of_ignored() -> None:
    """Tell which of the options that the current command was given change nothing.

    Not when they are read: a command may begin anew, in a process with other settings.
    """
    for text in click.get_current_context().meta.get(_NOTED, ()):
        click.echo(text, err=True)
