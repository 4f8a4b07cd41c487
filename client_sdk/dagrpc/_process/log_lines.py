"""Formats of log lines: text for people, or one JSON object a line for programs that collect logs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

JSON = "json"
"""The value of `admin.log-format` that asks for JSON."""
EVENT_FIELDS = ("worker", "client", "key", "stimulus")
"""Fields that a line has if the call that logged it gave them as `extra`."""

_of_process: dict[str, str] = {}


def set_process_fields(**fields: str) -> None:
    """Add fields to all JSON lines of this process, such as the service's address."""
    _of_process.update(fields)


def formatter_of(line_format: str) -> logging.Formatter:
    """Return the formatter for a value of `admin.log-format`: a format of `logging`, or ``"json"``."""
    return JsonFormatter() if line_format == JSON else logging.Formatter(line_format)


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object: time, level, logger, process, message and, where known, more fields.

    The time is in UTC, in the form of RFC 3339. A traceback is in the field ``exception``.

    Examples
    --------
    >>> record = logging.LogRecord("dagrpc.worker", logging.INFO, "", 0, "joined as %s", ("alice",), None)
    >>> json.loads(JsonFormatter().format(record))["message"]
    'joined as alice'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for a record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            **_of_process,
            "message": record.getMessage(),
        }
        line |= {name: str(vars(record)[name]) for name in EVENT_FIELDS if name in vars(record)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
