"""Waits for all futures in a nested structure and puts their results in their places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagrpc._client.client_core import ClientCore
from dagrpc._client.key_table import KeyState
from dagrpc._client.results import released_error, values_of
from dagrpc._client.waiting import Deadline, Operation
from dagrpc.future import Future


def gather(core: ClientCore, futures: Any, errors: str, direct: bool | None) -> Operation[Any]:
    """Wait for all futures in a nested structure and return it with results in their places."""
    found: dict[str, KeyState] = {}
    if type(futures) is list and all(type(item) is Future for item in futures):
        flat: list[Future[Any]] = futures
        for future in flat:
            _add(core, future, found)
        values = yield from values_of(core, list(found.values()), errors, direct, Deadline(None))
        if errors == "raise":
            return [values[future._state.wire_key] for future in flat]  # type: ignore[union-attr]
        return _fill(flat, values)
    _find(core, futures, found)
    values = yield from values_of(core, list(found.values()), errors, direct, Deadline(None))
    return _fill(futures, values)


def _add(core: ClientCore, future: Future[Any], found: dict[str, KeyState]) -> None:
    state = future._state if future._state is not None else future.bound_state()
    if future._core is not core:
        raise ValueError(f"{future!r} belongs to another client")
    if future._released:
        raise released_error(state)
    found[state.wire_key] = state


def _find(core: ClientCore, value: Any, found: dict[str, KeyState]) -> None:
    if isinstance(value, Future):
        _add(core, value, found)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            _find(core, item, found)
    elif isinstance(value, dict):
        for item in value.values():
            _find(core, item, found)


def _fill(value: Any, values: Mapping[str, Any]) -> Any:
    """Return a structure with values in place of futures; lists leave out futures without a value."""
    if isinstance(value, Future):
        return values.get(value.bound_state().wire_key)
    kind = type(value)
    if kind is list or kind is set or kind is frozenset:
        return kind(_fill(item, values) for item in value if not _is_missing(item, values))
    if kind is tuple:
        return tuple(_fill(item, values) for item in value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return kind(*(_fill(item, values) for item in value))
    if isinstance(value, dict):
        return {name: _fill(item, values) for name, item in value.items()}
    return value


def _is_missing(value: Any, values: Mapping[str, Any]) -> bool:
    return isinstance(value, Future) and value.bound_state().wire_key not in values
