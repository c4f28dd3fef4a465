"""A log line written past `logging` is the one that it would write; where somebody listens, it is left to it."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable

import pytest

from tlsrun.servers.builtin.log_line import write

_LINE = '127.0.0.1 - - [28/Nov/2026 10:00:00] "GET /100%25 HTTP/1.1" 200 -'


def _logging() -> tuple[logging.Logger, io.StringIO]:
    """A logger that nobody else listens to, and what its handler writes."""
    # No fixture: pytest listens to every logger that is there when a test begins.
    logger, stream = logging.Logger("tests.log_line", logging.INFO), io.StringIO()
    logger.addHandler(logging.StreamHandler(stream))
    return logger, stream


def test_as_logging_writes_it() -> None:
    """The very same characters, in the same place."""
    logger, stream = _logging()
    logger.info("%s", _LINE)
    theirs = stream.getvalue()
    assert write(logger, _LINE)
    assert stream.getvalue() == theirs + theirs != ""


def test_handler_of_a_logger_above() -> None:
    """Records go up to it."""
    logger, stream = _logging()
    below = logging.Logger("tests.log_line.below", logging.INFO)
    below.parent = logger
    assert write(below, _LINE)
    assert stream.getvalue() == f"{_LINE}\n"
    below.propagate = False
    assert not write(below, _LINE)


class _Shouts(logging.StreamHandler):  # type: ignore[type-arg]
    def emit(self, record: logging.LogRecord) -> None:
        self.stream.write(record.getMessage().upper())


def _own_formatter(logger: logging.Logger, handler: logging.Handler) -> None:
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))


def _filtered(logger: logging.Logger, handler: logging.Handler) -> None:
    logger.addFilter(lambda record: "health" not in record.getMessage())


def _filtered_handler(logger: logging.Logger, handler: logging.Handler) -> None:
    handler.addFilter(lambda record: True)


def _second(logger: logging.Logger, handler: logging.Handler) -> None:
    logger.addHandler(logging.NullHandler())


def _other_kind(logger: logging.Logger, handler: logging.Handler) -> None:
    logger.handlers[:] = [_Shouts(io.StringIO())]


def _none(logger: logging.Logger, handler: logging.Handler) -> None:
    logger.handlers.clear()


def _quiet_handler(logger: logging.Logger, handler: logging.Handler) -> None:
    handler.setLevel(logging.WARNING)


def _quiet(logger: logging.Logger, handler: logging.Handler) -> None:
    logger.disabled = True


def _broken(logger: logging.Logger, handler: logging.Handler) -> None:
    handler.stream.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "change",
    [
        _own_formatter, _filtered, _filtered_handler, _second, _other_kind, _none, _quiet_handler, _quiet, _broken,
    ],
)  # fmt: skip
def test_left_to_logging(change: Callable[[logging.Logger, logging.Handler], None]) -> None:
    """Whenever a record would be looked at, or nothing is wanted: then nothing is written here."""
    logger, stream = _logging()
    change(logger, logger.handlers[0])
    assert not write(logger, _LINE)
    assert stream.closed or stream.getvalue() == ""


def test_somebody_makes_records_of_his_own() -> None:
    """A factory may count, or add what a handler of another logger shows."""
    before = logging.getLogRecordFactory()
    logger, _ = _logging()
    logging.setLogRecordFactory(lambda *args, **more: before(*args, **more))
    try:
        assert not write(logger, _LINE)
    finally:
        logging.setLogRecordFactory(before)
    assert write(logger, _LINE)
