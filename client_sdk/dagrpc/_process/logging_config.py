"""The logging that a user's configuration asks for: levels by logger, a whole logging configuration, or a file of one.

::

    distributed:
      logging:
        distributed.worker: debug

Loggers are dagrpc's (``dagrpc.scheduler``, ``dagrpc.worker``, ``dagrpc.client``, ``dagrpc.io``, ...); for names below
``distributed`` the same below ``dagrpc`` is meant, too. With a ``version`` it is what `logging.config.dictConfig`
takes; ``logging-file-config`` names a file that `logging.config.fileConfig` reads.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Mapping
from typing import Any

from dagrpc import config

shown: dict[str, int] = {}
"""From which level on the lines of a logger, and of those below it, are shown."""


def is_shown(record: logging.LogRecord, otherwise: int) -> bool:
    """Return whether a line is to be shown.

    Parameters
    ----------
    otherwise : int
        From which level on lines are shown for which nothing else was asked.
    """
    name = record.name
    while name:
        if name in shown:
            return record.levelno >= shown[name]
        name = name.rpartition(".")[0]
    return record.levelno >= otherwise


def level_number(given: int | str | bool | None) -> int:
    """Return the level from which on a service logs, as the user gave it.

    Parameters
    ----------
    given : int, str or bool, optional
        A level or its name. None or False: nothing is silenced. True: less than warnings.

    Raises
    ------
    ValueError
        If there is no such level.

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
    """Set up logging as configured. Returns whether anything was.

    Raises
    ------
    ValueError
        If the configuration is not of one of its forms, or names a level that there is not.
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
    """Return a setting that may stand below ``dagrpc``, below ``distributed`` or by itself."""
    found = config.get(name)
    return config.look_up(name) if found is None else found


def _set_levels(levels: Mapping[str, Any]) -> None:
    """Have each logger tell from its level on."""
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.WARNING, format=config.get("admin.log-format"), stream=sys.stderr)
    for name, level in levels.items():
        number = level if isinstance(level, int) else logging.getLevelNamesMapping().get(str(level).upper())
        if number is None:
            raise ValueError(f"The setting logging asks for level {level!r} of {name!r}, which is none")
        names = {name, f"dagrpc{name.removeprefix('distributed')}"} if name.startswith("distributed") else {name}
        for each in names:
            shown[each] = number
            # What is not shown is kept all the same, for clients that ask for it.
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
    # Not above: hardly any process needs it.
    return importlib.import_module("logging.config")
