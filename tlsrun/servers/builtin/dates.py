"""The time in the formats of HTTP and access logs, formatted once per second and not for each request."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _each_second(spell: Callable[[int], str]) -> Callable[[], str]:
    """A function that returns the current second, formatted; safe to call from any thread."""
    last = (-1, "")

    def now() -> str:
        nonlocal last
        known, words = last  # one tuple: another thread may replace it at any time
        second = int(time.time())
        if second != known:
            words = spell(second)
            last = (second, words)
        return words

    return now


def _in_log(second: int) -> str:
    year, month, day, hour, minute, seconds, *_ = time.localtime(second)
    return f"{day:02}/{_MONTHS[month - 1]}/{year:04} {hour:02}:{minute:02}:{seconds:02}"


#: ``Date`` of a response (RFC 9110, section 6.6.1).
http_date = _each_second(lambda second: formatdate(second, usegmt=True))
#: The format of the standard library's access log, in local time.
log_date = _each_second(_in_log)
