"""Keys of calls: the name of the function with a hash of function and arguments, so that equal calls share a key."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from dask.tokenize import tokenize
from dask.utils import funcname

from dagrpc._codec import pickle5
from dagrpc._codec.references import DependencyRef, digest_of

# Values of exactly these types have a unique repr.
PLAIN = frozenset((int, float, str, bytes, bool, type(None)))
_PLAIN_CONTAINERS = frozenset((tuple, list))


class NotPlain(Exception):
    """An argument is not made of plain values."""


def _describe(value: Any, pieces: list[str]) -> None:
    """Append a unique description of a value.

    Raises
    ------
    NotPlain
        If the value is not made of plain values.
    """
    kind = type(value)
    if kind in PLAIN:
        pieces.append(repr(value))
    elif kind is DependencyRef:
        pieces.append(f"<{value.key!r}>")
    elif kind in _PLAIN_CONTAINERS:
        pieces.append("(" if kind is tuple else "[")
        for item in value:
            _describe(item, pieces)
            pieces.append(",")
        pieces.append(")")
    else:
        raise NotPlain


def call_token(digest: bytes, args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> str:
    """Return a hash of a call, 32 hexadecimal digits, from the digest of the function and its arguments."""
    pieces: list[str] = []
    try:
        if kwargs:
            _describe(tuple(args), pieces)
            for name in sorted(kwargs):
                pieces.append(f"{name}=")
                _describe(kwargs[name], pieces)
        else:
            for value in args:
                if type(value) in PLAIN:
                    pieces.append(repr(value))
                else:
                    _describe(value, pieces)
        text = ",".join(pieces).encode("utf-8", "surrogatepass")
    except (NotPlain, ValueError, RecursionError):  # ValueError: an integer too long to be written out
        # The colon tells this token from descriptions.
        text = b":" + _opaque_token(tuple(args), kwargs or {})
    return blake2b(digest + text, digest_size=16).hexdigest()


def _opaque_token(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
    """Return a hash of arguments of any type."""
    token: str
    try:
        token = tokenize(args, kwargs)
    except Exception:
        try:
            return digest_of(pickle5.dumps_inband((args, kwargs)))
        except Exception:
            # Encoding the arguments raises the error later.
            token = uuid.uuid4().hex
    return token.encode()


def function_name(function: Callable[..., Any]) -> str:
    """Return the beginning of the keys of a function's calls.

    Examples
    --------
    >>> function_name(len)
    'len'
    """
    name: str = funcname(function)
    return name


def unique_key(name: str) -> str:
    """Return a key that no other call has."""
    return f"{name}-{uuid.uuid4()}"


def data_key(value: object) -> str:
    """Return the key of scattered data: its type's name and a hash of it."""
    return f"{type(value).__name__}-{tokenize(value)}"


def unique_data_key(value: object) -> str:
    """Return a key for scattered data that no other data has."""
    return f"{type(value).__name__}-{uuid.uuid4().hex}"
