"""Adds the flags of a service's options to a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from dagrpc._process.service_options import Flag, Option, declared_options

F = TypeVar("F", bound=Callable[..., Any])


def flags_of(options: type) -> Callable[[F], F]:
    """Return a decorator that adds the flags of options to a command, in the order of their declaration."""
    flagged = [(name, each) for name, each in declared_options(options).items() if each.flag]

    def add(function: F) -> F:
        for name, each in reversed(flagged):
            function = _click_option(name, each)(function)
        return function

    return add


def flag_values(options: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a command got for flags of options, by the options' names; None or () without the flag."""
    return {name: given[name] for name, each in declared_options(options).items() if each.flag}


def _click_option(name: str, declared: Option) -> Callable[[F], F]:
    flag = declared.flag
    assert flag is not None
    return click.option(
        flag.name,
        name,
        default=flag.default,
        show_default=isinstance(flag.default, str),
        multiple=flag.multiple,
        type=_type_of(flag),
        help=flag.help,
        callback=_callback(flag.parse or declared.convert),
    )


def _type_of(flag: Flag) -> click.IntRange | click.Path | None:
    if flag.bounds:
        return click.IntRange(*flag.bounds)
    if flag.path:
        return click.Path(dir_okay=flag.path == "directory", file_okay=flag.path == "file")
    return None


def _callback(parse: Callable[[Any], Any] | None) -> Callable[..., Any] | None:
    """Return a callback that converts the value of a flag, and names the flag if the value is wrong."""
    if parse is None:
        return None

    def convert(_: click.Context, __: click.Parameter, value: Any) -> Any:
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return convert
