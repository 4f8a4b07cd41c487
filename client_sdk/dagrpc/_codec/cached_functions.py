"""Pickles `functools.lru_cache` functions that other processes cannot import: by the function that they wrap."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

CachedFunction: Any = type(functools.lru_cache(len))
"""The type of the objects that `functools.lru_cache` returns."""
_SET_BY_CACHE = frozenset((*functools.WRAPPER_ASSIGNMENTS, "__wrapped__", "cache_parameters"))


def attributes_by_users(function: Any) -> dict[str, Any]:
    """Return the attributes that user code has set on a function with a cache."""
    return {name: value for name, value in vars(function).items() if name not in _SET_BY_CACHE}


def reduce_cached(function: Any) -> tuple[Any, ...]:
    """Return the reduction that pickles a function with a cache by value, with an empty cache."""
    return _cached, (function.__wrapped__, function.cache_parameters()), attributes_by_users(function) or None


def _cached(function: Callable[..., Any], parameters: Mapping[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(function)
