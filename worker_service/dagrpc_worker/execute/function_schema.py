"""Describes the parameters of functions by JSON Schema, for callers of other languages."""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Callable
from typing import Any, Union

_SIMPLE: dict[Any, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bytes: {"type": "string", "contentEncoding": "base64", "description": "bytes, encoded as raw"},
    type(None): {"type": "null"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    set: {"type": "array"},
    dict: {"type": "object"},
}


def parameters_schema(function: Callable[..., Any]) -> str:
    """Return a JSON Schema of a function's parameters as text; empty if the function has no signature.

    Examples
    --------
    >>> def scale(x: float, by: int = 2): ...
    >>> parameters_schema(scale)
    '{"type": "object", "properties": {"x": {"type": "number"}, "by": {"type": "integer", "default": 2}}, "required": \
["x"], "additionalProperties": false}'
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ""
    try:
        hints = typing.get_type_hints(function)
    except Exception:
        # Annotations may name what is not imported.
        hints = {}
    properties: dict[str, Any] = {}
    required: list[str] = []
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    more = False
    for name, parameter in signature.parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            more = True
            continue
        properties[name] = {**schema_of(hints.get(name, Any))}
        if parameter.default is parameter.empty:
            required.append(name)
        elif _is_json(parameter.default):
            properties[name]["default"] = parameter.default
    schema["required"] = required
    schema["additionalProperties"] = more
    return json.dumps(schema)


def schema_of(annotation: Any) -> dict[str, Any]:
    """Return the JSON Schema of a type; empty, which admits any value, if it has none."""
    simple = _SIMPLE.get(annotation) if isinstance(annotation, type) else None
    if simple is not None:
        return simple
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of(each) for each in arguments]}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(arguments[1])}
    if origin in (list, set, frozenset):
        return {"type": "array", "items": schema_of(arguments[0])}
    if origin is tuple:
        return {"type": "array"}
    return {}


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
