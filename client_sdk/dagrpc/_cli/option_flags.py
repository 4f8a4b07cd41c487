"""Adds the flags of a service's options to a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

import click

from dagrpc._process.service_options import Flag, Option, declared_options

F = TypeVar("F", bound=Callable[..., Any])


def flags_of(options: type) -> Callable[[F], F]:
    """Return a decorator that adds the flags of options to a command, in the order of their declaration."""
    declared = declared_options(options)
    flagged = [each for each in fields(options) if declared[each.name].flag]

    def add(function: F) -> F:
        for each in reversed(flagged):
            function = _click_option(each, declared[each.name])(function)
        return function

    return add


def flag_values(options: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a command got for flags of options, by the options' names; None or () without the flag."""
    return {name: given[name] for name, each in declared_options(options).items() if each.flag}


def given_options(options: type, given: Mapping[str, Any]) -> Any:
    """Return the options that a command got; an option without its flag has its default."""
    return options(**{name: value for name, value in flag_values(options, given).items() if value is not None})


def _click_option(each: Field[Any], declared: Option) -> Callable[[F], F]:
    flag = declared.flag
    assert flag is not None
    # click takes a flag with two names, `--a/--no-a`, for a switch only if it is not told so.
    switch: dict[str, Any] = {"is_flag": True} if flag.switch else {}
    return click.option(
        flag.name,
        each.name,
        **switch,
        default=False if flag.switch else flag.default,
        show_default=isinstance(flag.default, str),
        multiple=flag.multiple,
        type=_type_of(flag),
        help=flag.help or _help_of(each, declared),
        callback=_callback(flag.parse or declared.convert),
    )


def _help_of(each: Field[Any], declared: Option) -> str:
    """Return the help of a flag from the declaration of its option."""
    doc = declared.doc.replace("`", "")
    default = each.default
    return doc if default is MISSING or default in (None, "", False) else f"{doc} [default: {default}]"


def _type_of(flag: Flag) -> click.IntRange | click.Path | None:
    if flag.bounds:
        return click.IntRange(*flag.bounds)
    if flag.path:
        return click.Path(exists=flag.exists, dir_okay=flag.path == "directory", file_okay=flag.path == "file")
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
