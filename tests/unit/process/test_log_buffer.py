"""The latest lines of a log: kept in order, of the right part, and no more than asked for."""

import logging

from dagrpc._process import log_buffer
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


def test_lines_that_the_program_does_not_show_are_kept_and_stay_hidden() -> None:
    parent = logging.getLogger("dagrpc.unshown-test")
    part = logging.getLogger("dagrpc.unshown-test.part")
    shown: list[str] = []

    class Shows(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            shown.append(record.getMessage())

    parent.addHandler(Shows())
    parent.setLevel(logging.WARNING)
    log_buffer.keep_unshown(part.name)
    log_buffer.keep_unshown(part.name)
    part.debug("unshown nothing")
    part.info("unshown kept only")
    part.warning("shown")
    assert shown == ["shown"]
    kept = [text for _, text in log_buffer.install().latest("nanny")]
    assert sum("unshown kept only" in text for text in kept) == 1
    assert not any("unshown nothing" in text for text in kept)
    # A program that asks for more gets it.
    parent.setLevel(logging.INFO)
    part.info("asked for")
    part.setLevel(logging.DEBUG)
    part.debug("debugged")
    assert shown == ["shown", "asked for", "debugged"]


def test_lines_about_a_task_are_found_by_its_key() -> None:
    buffer = LogBuffer(10, "%(message)s")
    logger = logging.getLogger(f"{__name__}.keys")
    logger.propagate = False
    logger.addHandler(buffer)
    for key in ("a", ("x", 0), "a", None, 3, ["a"], ("x", object())):
        logger.warning("about %s", key, extra={"key": key})
    logger.warning("about nothing")
    assert [text for _, text in buffer.latest("worker", "a")] == ["about a", "about a"]
    assert [text for _, text in buffer.latest("worker", "('x', 0)")] == ["about ('x', 0)"]
    assert len(list(buffer.latest("worker"))) == 8
