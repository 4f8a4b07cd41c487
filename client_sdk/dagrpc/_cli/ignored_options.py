"""Flags of distributed's commands that have no effect here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_NOTED = "dagrpc.ignored-options"


def ignored(*declarations: str, why: str) -> Callable[[F], F]:
    """Return a decorator that adds flags without effect to a command; `tell_of_ignored` shows the reason `why`."""

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
    """Show which flags of the current command have no effect.

    This runs after the flags are read, since a command may start again in a process with other settings.
    """
    for text in click.get_current_context().meta.get(_NOTED, ()):
        click.echo(text, err=True)
