"""The start of all service processes: logging, garbage collection, signals."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dagrpc import config
from dagrpc._process.log_lines import JSON, formatter_of
from dagrpc._process.logging_config import configure_logging, is_shown
from dagrpc._process.silenced_logs import LOGGERS
from dagrpc._tracing import provider

LOG_FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"


def prepare(log_level: int | str = logging.INFO) -> None:
    """Set up logging and the garbage collector, before the service is made."""
    logging.basicConfig(level=logging.WARNING, format=LOG_FORMAT, stream=sys.stderr)
    shown = logging.getLevelNamesMapping()[log_level] if isinstance(log_level, str) else log_level
    for name in LOGGERS:
        # Clients can ask for lines that are not shown here.
        logging.getLogger(name).setLevel(min(shown, logging.INFO))
    for handler in logging.getLogger().handlers:
        handler.addFilter(lambda record: not record.name.startswith(LOGGERS) or is_shown(record, shown))
    # With the default thresholds, collections visit a large graph so often that 100,000 tasks cost twice as much each.
    gc.set_threshold(100_000, 50, 100)


def set_log_format(line_format: str | None) -> None:
    """Set the format of log lines, ``text`` or ``json``, for this process and its children; None: as configured."""
    if line_format is not None:
        config.set_variable("admin.log-format", JSON if line_format == JSON else LOG_FORMAT)


def apply_settings() -> None:
    """Apply the settings of the whole process, once the configuration is known; SystemExit if they are wrong."""
    provider.in_own_process()
    try:
        formatter = formatter_of(config.get("admin.log-format"))
        for handler in logging.getLogger().handlers:
            handler.setFormatter(formatter)
        configure_logging()
    except (ValueError, KeyError, OSError, ImportError, AttributeError, TypeError) as error:
        raise SystemExit(f"Logging cannot be set up as configured: {error}") from None


def on_signals(stop: Callable[[str], object]) -> None:
    """Call `stop` with the signal's name on SIGINT or SIGTERM; a second signal ends the process at once."""
    loop = asyncio.get_running_loop()
    seen = False

    def handle(number: signal.Signals) -> None:
        nonlocal seen
        if seen:
            os._exit(128 + number)
        seen = True
        stop(f"received {number.name}")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handle, number)


@contextmanager
def keep_pid_file(path: str | None) -> Iterator[None]:
    """Keep this process's id in a file within a block, if a file is named."""
    if path is None:
        yield
        return
    file = Path(path)
    file.write_text(str(os.getpid()))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
