"""Functions that are called by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from dagrpc._codec import payload
from dagrpc_worker.execute.work import CallArgument, Literal, NamedCall


@lru_cache(1_000)
def resolve(entrypoint: str) -> Callable[..., Any]:
    """Return the function that an entrypoint names.

    Parameters
    ----------
    entrypoint : str
        ``package.module:function``; the part behind the colon may have dots.

    Raises
    ------
    ValueError
        If it is not of that form.
    ImportError, AttributeError
        If there is no such module or function here.
    TypeError
        If what it names cannot be called.
    """
    module_name, separator, path = entrypoint.partition(":")
    if not (module_name and separator and path):
        raise ValueError(f"An entrypoint has the form package.module:function; got {entrypoint!r}")
    found: Any = importlib.import_module(module_name)
    for part in path.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"Entrypoint {entrypoint!r} names a {type(found).__name__}, which cannot be called")
    function: Callable[..., Any] = found
    return function


def load_call(call: NamedCall, results: Mapping[str, Any]) -> tuple[Callable[..., Any], list[Any], dict[str, Any]]:
    """Return function and arguments of a call, the results of other tasks filled in.

    Raises
    ------
    Exception
        Whatever finding the function or decoding the arguments raises.
    """

    def value_of(argument: CallArgument) -> Any:
        if isinstance(argument, Literal):
            return payload.decode(argument.encoding, argument.frames)
        return results[argument.key]

    function = resolve(call.entrypoint)
    arguments = [value_of(argument) for argument in call.arguments]
    return function, arguments, {name: value_of(argument) for name, argument in call.keyword_arguments.items()}
