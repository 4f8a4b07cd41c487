"""Configuration, through `dask.config`.

A key such as ``scheduler.allowed-failures`` is looked up as ``dagrpc.scheduler.allowed-failures``, then as the
environment variable ``DAGRPC_SCHEDULER__ALLOWED_FAILURES``, then as ``distributed.scheduler.allowed-failures``, so that
files and variables written for distributed keep working; then the default holds. dask's own variables count, too:
``DASK_DAGRPC__SCHEDULER__ALLOWED_FAILURES``, ``DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES``.

docs/configuration.md is made from `dagrpc._common.default_settings`, comments included.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from dagrpc._common.dask_config import when_imported
from dagrpc._common.default_settings import DEFAULTS as DEFAULTS
from dagrpc._common.quantities import parse_seconds, parse_size


def get(key: str, override: Any = None) -> Any:
    """Return a setting.

    Parameters
    ----------
    key : str
        Dotted name below ``dagrpc`` or ``distributed``.
    override : optional
        Returned instead if it is not None.

    Examples
    --------
    >>> get("scheduler.allowed-failures")
    3
    """
    if override is not None:
        return override
    look_up = _look_up_in_dask if _handed_over is None else _look_up_handed_over
    value = look_up(f"dagrpc.{key}")
    if value is _ABSENT:
        value = _environment.get(key, _ABSENT)
    if value is _ABSENT:
        value = look_up(f"distributed.{key}")
    return DEFAULTS[key] if value is _ABSENT else value


def worker_environ() -> dict[str, Any]:
    """Return the variables that worker processes are to have, unless they are set."""
    return {**get("nanny.pre-spawn-environ"), **(get("nanny.environ") or {})}


def look_up(key: str) -> Any:
    """Return a setting of dask's own by its full name; None if it is not set."""
    value = (_look_up_in_dask if _handed_over is None else _look_up_handed_over)(key)
    return None if value is _ABSENT else value


def read_environment(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that environment variables such as ``DAGRPC_COMM__COMPRESSION`` make.

    Variables of other names are passed over: other things are called after dagrpc, too.

    Examples
    --------
    >>> read_environment({"DAGRPC_COMM__CHUNK_SIZE": "2 MiB", "DAGRPC_SCHEDULER__ALLOWED_FAILURES": "5"})
    {'scheduler.allowed-failures': 5, 'comm.chunk-size': '2 MiB'}
    """
    found = {}
    for key in DEFAULTS:
        text = variables.get("DAGRPC_" + key.replace(".", "__").replace("-", "_").upper())
        if text is not None:
            try:
                found[key] = ast.literal_eval(text)
            except (ValueError, SyntaxError):
                # As dask reads them.
                found[key] = _WORDS.get(text.strip().lower(), text)
    return found


_WORDS = {"true": True, "false": False, "null": None, "none": None}
_ABSENT: Any = object()
_environment = read_environment(os.environ)
_handed_over: Mapping[str, Any] | None = None


def set_variable(key: str, value: str) -> None:
    """Set the environment variable of a setting, for this process and its children.

    Examples
    --------
    >>> set_variable("scheduler.allowed-failures", "5")
    >>> os.environ.pop("DAGRPC_SCHEDULER__ALLOWED_FAILURES"), _environment.pop("scheduler.allowed-failures")
    ('5', 5)
    """
    name = f"DAGRPC_{key.upper().replace('.', '__').replace('-', '_')}"
    os.environ[name] = value
    _environment.update(read_environment({name: value}))


def hand_over(settings: Mapping[str, Any]) -> None:
    """Take another process's configuration instead of reading dask's.

    For services that have no other use for dask: importing it takes longer than anything else at their start. Code of
    users' that imports it there finds the configuration in it.
    """
    global _handed_over
    _handed_over = settings
    if "dask" not in sys.modules:
        when_imported(lambda module: module.update(module.config, settings))


def _look_up_in_dask(key: str) -> Any:
    import dask.config

    return dask.config.get(key, _ABSENT)


def _look_up_handed_over(key: str) -> Any:
    assert _handed_over is not None
    found: Any = _handed_over
    for part in key.split("."):
        if not isinstance(found, Mapping):
            return _ABSENT
        # dask takes both spellings for one.
        for name in (part, part.replace("-", "_"), part.replace("_", "-")):
            if name in found:
                found = found[name]
                break
        else:
            return _ABSENT
    return found


def get_seconds(key: str, override: Any = None) -> float | None:
    """Return a setting that is a duration, in seconds, or None if it is null."""
    return seconds(get(key, override))


def get_bytes(key: str, override: Any = None) -> int:
    """Return a setting that is a size, in bytes."""
    value = get(key, override)
    if isinstance(value, (int, float)):
        return int(value)
    return parse_size(value)


def seconds(value: float | str | timedelta | None) -> float | None:
    """Return a duration in seconds.

    Parameters
    ----------
    value : number, str, timedelta or None
        ``10``, ``"10s"``, ``"500 ms"``, ``timedelta(minutes=5)``. None stays None.

    Examples
    --------
    >>> seconds("500 ms")
    0.5
    """
    if value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, timedelta):
        return value.total_seconds()
    return parse_seconds(value)
