"""Sets up logging as configured: levels by logger, a logging configuration, or the file of a logging configuration.

::

    distributed:
      logging:
        distributed.worker: debug

The loggers of dagrpc are ``dagrpc.scheduler``, ``dagrpc.worker``, ``dagrpc.client``, ``dagrpc.io``, ...; a name below
``distributed`` also stands for the same name below ``dagrpc``. A setting with a ``version`` goes to
`logging.config.dictConfig`; ``logging-file-config`` names a file for `logging.config.fileConfig`.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Mapping
from typing import Any

from dagrpc import config
from dagrpc._process.log_lines import formatter_of

shown: dict[str, int] = {}
"""Levels from which on lines are shown, by logger. A level also holds for the loggers below."""


def is_shown(record: logging.LogRecord, otherwise: int) -> bool:
    """Return whether a line is shown; `otherwise` is the level of loggers without a level of their own."""
    name = record.name
    while name:
        if name in shown:
            return record.levelno >= shown[name]
        name = name.rpartition(".")[0]
    return record.levelno >= otherwise


def level_number(given: int | str | bool | None) -> int:
    """Return the log level for an argument `silence_logs`.

    The argument is a level or its name; None or False silences nothing, True everything below warnings. Raises
    ValueError if there is no such level.

    Examples
    --------
    >>> level_number("error"), level_number(None), level_number(30)
    (40, 20, 30)
    """
    if not given:
        return logging.INFO
    if given is True:
        return logging.WARNING
    if isinstance(given, str) and not given.isdecimal():
        levels = logging.getLevelNamesMapping()
        if given.upper() not in levels:
            raise ValueError(f"silence_logs is {given!r}; it must be a level: {', '.join(levels)}, a number, or False")
        return levels[given.upper()]
    return int(given)


def configure_logging() -> bool:
    """Set up logging as configured, and return whether anything is configured.

    Raises ValueError if the configuration has another form, or names an unknown level.
    """
    given, path = _setting("logging"), _setting("logging-file-config")
    if given and path:
        raise ValueError("The settings logging and logging-file-config exclude each other: remove one of them")
    if path:
        _config().fileConfig(path, disable_existing_loggers=False)
    elif not given:
        return False
    elif not isinstance(given, Mapping):
        raise ValueError(f"The setting logging must map loggers to levels, not be {given!r}")
    elif "version" in given:
        _config().dictConfig({"disable_existing_loggers": False, **given})
    else:
        _set_levels(given)
    return True


def _setting(name: str) -> Any:
    """Return a setting that stands below ``dagrpc``, below ``distributed`` or at the top."""
    found = config.get(name)
    return config.look_up(name) if found is None else found


def _set_levels(levels: Mapping[str, Any]) -> None:
    """Set the levels of loggers."""
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
        for handler in logging.getLogger().handlers:
            handler.setFormatter(formatter_of(config.get("admin.log-format")))
    for name, level in levels.items():
        number = level if isinstance(level, int) else logging.getLevelNamesMapping().get(str(level).upper())
        if number is None:
            raise ValueError(f"The setting logging has an unknown level {level!r} for {name!r}")
        names = {name, f"dagrpc{name.removeprefix('distributed')}"} if name.startswith("distributed") else {name}
        for each in names:
            shown[each] = number
            # The log buffer keeps lines that are not shown, for clients that ask.
            kept = each.partition(".")[0] in ("dagrpc", "distributed")
            logging.getLogger(each).setLevel(min(number, logging.INFO) if kept else number)


_configured = False


def configure_once() -> None:
    """Set up logging as configured, at the first call in this process only."""
    global _configured
    if not _configured:
        _configured = True
        configure_logging()


def _config() -> Any:
    # Hardly any process needs this module.
    return importlib.import_module("logging.config")
