"""The latest lines of this process's log, kept so that clients can ask for them."""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Iterator

from dagrpc import config
from dagrpc._common.keys import encode_key
from dagrpc._process.log_lines import formatter_of
from dagrpc._process.silenced_logs import LOGGERS, is_silenced

_PARTS = ("scheduler", "worker", "nanny", "client")


class LogBuffer(logging.Handler):
    """Keeps the latest `length` lines."""

    def __init__(self, length: int, line_format: str) -> None:
        super().__init__()
        self.setFormatter(formatter_of(line_format))
        self._lines: deque[tuple[str, str, str, str]] = deque(maxlen=length)
        """Logger, level, text and key of each line, the oldest first."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        try:
            text = self.format(record)
            self._lines.append((record.name, record.levelname, text, _key_of(record)))
            if record.levelno >= logging.WARNING and not is_silenced(record) and not self._is_shown(record.name):
                sys.stderr.write(f"{text}\n")
        except Exception:
            self.handleError(record)

    def _is_shown(self, name: str) -> bool:
        """Return whether another handler shows lines; without this handler Python would show warnings by itself."""
        logger: logging.Logger | None = logging.getLogger(name)
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return True
            logger = logger.parent if logger.propagate else None
        return False

    def latest(self, part: str, key: str = "") -> Iterator[tuple[str, str]]:
        """Yield level and text of the lines of a part, the latest first.

        The part is ``scheduler``, ``worker`` or ``nanny``, several of which can share a process. Lines that belong to
        no part are included. With a key, only lines that were logged with it are.
        """
        others = tuple(f"{logger}.{other}" for logger in LOGGERS for other in _PARTS if other != part)
        for name, level, text, about in reversed(self._lines.copy()):
            if not name.startswith(others) and (not key or about == key):
                yield level, text


def _key_of(record: logging.LogRecord) -> str:
    """Return the key of the task that a line is about; empty if the call that logged it gave none as `extra`."""
    key = vars(record).get("key", "")
    if isinstance(key, str):
        return key
    try:
        return encode_key(key) if isinstance(key, tuple) else ""
    except (TypeError, ValueError):
        return ""


_buffer: LogBuffer | None = None


def install() -> LogBuffer:
    """Return the handler that keeps lines; install it at the first call."""
    global _buffer
    if _buffer is None:
        _buffer = LogBuffer(int(config.get("admin.log-length")), config.get("admin.log-format"))
        for name in LOGGERS:
            logging.getLogger(name).addHandler(_buffer)
    return _buffer


def keep_unshown(name: str) -> None:
    """Keep the INFO lines of a logger in the buffer, even where the program shows warnings only.

    A service in a user's program must not make the program's handlers show more than they did.
    """
    logger = logging.getLogger(name)
    if not logger.isEnabledFor(logging.INFO):
        logger.setLevel(logging.INFO)
        logger.addFilter(_Unshown(logger, install()))


class _Unshown(logging.Filter):
    """Takes lines out that the logger would not have logged without `keep_unshown`, and puts them into the buffer."""

    def __init__(self, logger: logging.Logger, buffer: LogBuffer) -> None:
        super().__init__()
        self._logger = logger
        self._buffer = buffer

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the logger's handlers get a line."""
        parent = self._logger.parent
        # Where the user has set a level since, that level counts.
        if self._logger.level != logging.INFO or parent is None or record.levelno >= parent.getEffectiveLevel():
            return True
        self._buffer.handle(record)
        return False
