"""The latest lines of a log: kept in order, of the right part, and no more than asked for."""

import logging

from dagrpc._process.log_buffer import LogBuffer


def record(name: str, text: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord(name, level, __file__, 1, text, None, None)


def test_the_latest_lines_are_kept_the_latest_first() -> None:
    buffer = LogBuffer(3, "%(levelname)s %(message)s")
    for number in range(5):
        buffer.handle(record("dagrpc.worker", str(number), logging.WARNING if number == 4 else logging.INFO))
    assert list(buffer.latest("worker")) == [("WARNING", "WARNING 4"), ("INFO", "INFO 3"), ("INFO", "INFO 2")]


def test_lines_of_other_parts_are_left_out() -> None:
    buffer = LogBuffer(10, "%(message)s")
    for name in ("dagrpc.worker", "dagrpc.scheduler", "distributed.worker", "dagrpc.io", "dagrpc", "distributed.nanny"):
        buffer.handle(record(name, name))
    shown = [text for _, text in buffer.latest("worker")]
    assert shown == ["dagrpc", "dagrpc.io", "distributed.worker", "dagrpc.worker"]


def test_a_line_that_cannot_be_formatted_breaks_nothing() -> None:
    logging.raiseExceptions, former = False, logging.raiseExceptions
    try:
        buffer = LogBuffer(10, "%(message)s")
        buffer.handle(logging.LogRecord("dagrpc", logging.INFO, __file__, 1, "%d", ("text",), None))
        assert list(buffer.latest("worker")) == []
    finally:
        logging.raiseExceptions = former
