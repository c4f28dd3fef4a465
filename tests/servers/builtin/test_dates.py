"""Times that are made once a second are those that the standard library makes for each request."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler

import pytest

from tlsrun.servers.builtin.dates import http_date, log_date

_STDLIB = BaseHTTPRequestHandler.__new__(BaseHTTPRequestHandler)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(http_date, _STDLIB.date_time_string), (log_date, _STDLIB.log_date_time_string)]
)
def test_as_the_standard_library(ours: Callable[[], str], theirs: Callable[[], str]) -> None:
    """The same words in the same second."""
    before, words, after = theirs(), ours(), theirs()
    assert words in (before, after)


def test_second_call_in_a_second_makes_nothing() -> None:
    """The very same object comes back, until the second is over."""
    assert any(http_date() is http_date() for _ in range(3))
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", http_date())
    assert parsedate_to_datetime(http_date()).tzinfo is not None
