"""Keys of tasks: what dask uses (str, bytes, numbers, tuples of them) and the strings that travel.

A string travels as it is unless it could be mistaken for something else; everything else travels as its Python
literal. The mapping is injective, and `decode_key` reverses it.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable
from functools import lru_cache
from typing import TypeAlias

Key: TypeAlias = Hashable
"""A key as users see it."""

# How the literals of bytes, numbers, tuples and quoted strings begin.
_LITERAL_STARTS = frozenset("('\"0123456789-")
_BYTES_STARTS = ("b'", 'b"')
_NOT_FINITE = frozenset(("inf", "nan"))


def encode_key(key: Key) -> str:
    r"""Return the string that stands for a key on the wire.

    Parameters
    ----------
    key : str, bytes, int, float or tuple of those
        The key.

    Raises
    ------
    TypeError
        If the key is of another type.

    Examples
    --------
    >>> encode_key("inc-1")
    'inc-1'
    >>> encode_key(("x", 0, 1))
    "('x', 0, 1)"
    >>> encode_key("('x', 0, 1)")
    '"(\'x\', 0, 1)"'
    """
    if type(key) is str:
        if key and key[0] not in _LITERAL_STARTS and not key.startswith(_BYTES_STARTS) and key not in _NOT_FINITE:
            return key
        return repr(key)
    return repr(_plain(key))


def _plain(key: Key) -> object:
    """Return a key made of built-in types only, so that its repr is a literal."""
    if type(key) is tuple:
        return tuple([item if type(item) in (str, int) else _plain(item) for item in key])
    if isinstance(key, str):
        return str(key)
    if isinstance(key, bytes):
        return bytes(key)
    if isinstance(key, int):
        return int(key)
    if isinstance(key, float):
        return float(key)
    if isinstance(key, tuple):
        return tuple(_plain(item) for item in key)
    if hasattr(key, "item") and hasattr(key, "dtype"):  # a NumPy scalar
        return _plain(key.item())
    raise TypeError(f"A key must be a str, bytes, int, float or a tuple of those; {key!r} is a {type(key).__name__}")


_NUMBERS = {"inf": float("inf"), "nan": float("nan")}


@lru_cache(100_000)
def _decode_literal(text: str) -> Key:
    try:
        return _value(ast.parse(text, mode="eval").body)
    except SyntaxError:
        raise ValueError(f"{text!r} is not the text of a key") from None


def _value(node: ast.expr) -> Key:
    """Return what a literal stands for. Unlike `ast.literal_eval` this knows floats that are not finite."""
    match node:
        case ast.Constant(value=value) if isinstance(value, (str, bytes, int, float)):
            return value
        case ast.Tuple(elts=items):
            return tuple([_value(item) for item in items])
        case ast.Name(id=name) if name in _NUMBERS:
            return _NUMBERS[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            number = _value(operand)
            if isinstance(number, (int, float)):
                return -number
    raise ValueError("the text of a key consists of strings, bytes, numbers and tuples of those")


def decode_key(text: str) -> Key:
    """Return the key that a string on the wire stands for.

    Examples
    --------
    >>> decode_key("('x', 0, 1)")
    ('x', 0, 1)
    >>> decode_key("inc-1")
    'inc-1'
    """
    if text[0] not in _LITERAL_STARTS and not text.startswith(_BYTES_STARTS):
        return float(text) if text in _NOT_FINITE else text
    return _decode_literal(text)
