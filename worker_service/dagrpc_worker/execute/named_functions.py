"""Functions that clients call by name."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from types import ModuleType
from typing import Any

from dagrpc import config
from dagrpc._codec import payload
from dagrpc.registry import exported
from dagrpc_worker.execute.work import CallArgument, Literal, NamedCall

ALLOWED_VARIABLE = "DAGRPC_ALLOWED_CALLS"
"""Environment variable with further patterns as JSON, which a command sets for the workers that it starts."""


def refuse_code_if_told() -> None:
    """Raise `PermissionError` if the worker's settings allow calls by name only."""
    if not config.get("worker.takes-code"):
        raise PermissionError("this worker only runs functions that are called by name: worker.takes-code is false")


def resolve(entrypoint: str) -> Callable[..., Any]:
    """Return the function that an entrypoint names.

    Parameters
    ----------
    entrypoint : str
        The name of an exported function, or ``package.module:function``; the part behind the colon may have dots.

    Raises
    ------
    PermissionError
        If the function was not exported, and no pattern of the setting ``worker.allowed-calls`` matches it.
    ValueError
        If the entrypoint has another form.
    ImportError, AttributeError
        If there is no such module or function on this worker.
    TypeError
        If the object cannot be called.
    """
    function = exported(entrypoint)
    if function is not None:
        return function
    patterns = allowed_patterns()
    if entrypoint in patterns:
        return _find(entrypoint)
    if any(fnmatchcase(entrypoint, pattern) for pattern in patterns):
        function = _find(entrypoint)
        if _is_meant(entrypoint, function):
            return function
    raise PermissionError(
        f"{entrypoint!r} may not be called by name here: it was not exported (dagrpc.export), and the setting "
        "worker.allowed-calls does not name it"
    )


def allowed_patterns() -> list[str]:
    """Return the patterns of the functions that may be called without an export."""
    return [*config.get("worker.allowed-calls"), *json.loads(os.environ.get(ALLOWED_VARIABLE, "[]"))]


def _is_meant(entrypoint: str, function: Callable[..., Any]) -> bool:
    """Return whether patterns apply to a function: it is public, and its module defines rather than imports it."""
    module, _, path = entrypoint.partition(":")
    origin = getattr(function, "__module__", None)
    is_public = not any(part.startswith("_") for part in path.split("."))
    return is_public and isinstance(origin, str) and f"{origin}.".startswith(f"{module}.")


@lru_cache(1_000)
def _find(entrypoint: str) -> Callable[..., Any]:
    module_name, separator, path = entrypoint.partition(":")
    if not (module_name and separator and path):
        raise ValueError(f"An entrypoint has the form package.module:function; got {entrypoint!r}")
    found: Any = importlib.import_module(module_name)
    for part in path.split("."):
        found = getattr(found, part)
        if isinstance(found, ModuleType) or part.startswith("__"):
            raise AttributeError(f"{part!r} in {entrypoint!r} is not a function of {module_name}")
    if not callable(found):
        raise TypeError(f"Entrypoint {entrypoint!r} names a {type(found).__name__}, which cannot be called")
    function: Callable[..., Any] = found
    return function


def load_call(call: NamedCall, results: Mapping[str, Any]) -> tuple[Callable[..., Any], list[Any], dict[str, Any]]:
    """Return the function and the arguments of a call, with the results of other tasks filled in."""

    def value_of(argument: CallArgument) -> Any:
        if isinstance(argument, Literal):
            return payload.decode(argument.encoding, argument.frames)
        return results[argument.key]

    function = resolve(call.entrypoint)
    arguments = [value_of(argument) for argument in call.arguments]
    return function, arguments, {name: value_of(argument) for name, argument in call.keyword_arguments.items()}
