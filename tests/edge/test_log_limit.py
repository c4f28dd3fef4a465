"""Log lines that are held back when there are too many."""

from __future__ import annotations

import logging

import pytest

from tlsrun.edge.log_limit import RateLimitedLog


def test_window(caplog: pytest.LogCaptureFixture) -> None:
    """Three lines in a window are written, the others counted, and the number said when it ends."""
    now = [0.0]
    error_log = RateLimitedLog(limit=3, window=10, clock=lambda: now[0])
    for number in range(8):
        error_log.write(logging.WARNING, "line %d", number)
    assert [record.getMessage() for record in caplog.records] == ["line 0", "line 1", "line 2"]
    now[0] = 9.9
    error_log.look()
    assert len(caplog.records) == 3
    now[0] = 10.0
    error_log.look()
    assert caplog.records[-1].getMessage() == "5 more such lines in the last 10 s"
    error_log.write(logging.ERROR, "line %d", 9)
    assert caplog.records[-1].getMessage() == "line 9"
    error_log.flush()
    assert len(caplog.records) == 5
