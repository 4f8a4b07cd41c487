"""Keys of tasks: the string that stands for a key on the wire, and the group and prefix that the string names.

On the wire, a string key is itself unless it could be mistaken for something else; every other key (bytes, a number, a
tuple) is its Python literal. The mapping is injective, and `decode_key` reverses it.

Clients append a token to the name of what a task does: ``inc-<hash>``, ``read-csv-<uuid>-7``. Collections use tuples,
``('sum-<hash>', 0, 1)``, whose first element names the group. Tasks of one prefix do the same work on different data.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable
from functools import lru_cache
from typing import Final, TypeAlias

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


_HEXADECIMAL: Final = "0123456789abcdef"
_SHORTEST_TOKEN: Final = 8
_SHORTEST_BARE_TOKEN: Final = 32
_UUID_LAST: Final = 12
"""Length of the last field of a UUID."""
_UUID_REST: Final = 24
"""Length of the other fields with the dashes before them."""


def group_name(key: str) -> str:
    """Return the name of the group of a task, given its key on the wire.

    >>> group_name("('sum-0a1b2c3d', 0, 1)")
    'sum-0a1b2c3d'
    >>> group_name("inc-0a1b2c3d")
    'inc'
    """
    return _first_string(key) or _without_tokens(key)


def prefix_name(name: str) -> str:
    """Return the prefix of a task, given its key on the wire or the name of its group.

    >>> prefix_name("read-csv-0a1b2c3d4e5f-7")
    'read-csv'
    >>> prefix_name("('sum-0a1b2c3d', 0, 1)")
    'sum'
    """
    return _without_tokens(_first_string(name) or name)


def _first_string(key: str) -> str:
    """Return the first element of a tuple if it is a string; an empty string for every other key."""
    if key[:1] == "(":
        quote = key[1:2]
        if quote in ("'", '"'):
            end = key.find(quote, 2)
            if end > 2:
                return key[2:end]
    return ""


def _without_tokens(name: str) -> str:
    """Return `name` without the numbers, hashes and UUIDs that end it."""
    while True:
        head, _, tail = name.rpartition("-")
        if not head:
            break
        if tail.isdecimal():
            # The last field of a UUID may be all digits.
            name = head if len(tail) != _UUID_LAST else _without_uuid(head)
        elif len(tail) >= _SHORTEST_TOKEN and not tail.strip(_HEXADECIMAL):
            name = head if len(tail) != _UUID_LAST else _without_uuid(head)
        else:
            return name
    if len(name) >= _SHORTEST_BARE_TOKEN and not name.strip(_HEXADECIMAL):
        return "data"
    return name


def _without_uuid(head: str) -> str:
    """Return `head`, which lost a token of 12 characters, without the rest of the UUID if the token was part of one."""
    rest = head[-_UUID_REST:]
    if len(rest) == _UUID_REST < len(head) and rest[0] == rest[9] == rest[14] == rest[19] == "-":
        return head[:-_UUID_REST]
    return head
