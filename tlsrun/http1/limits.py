"""Limits on the size of a request's head."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HeadLimits:
    """The limits of a head.

    Arguments:
        line: bytes of the request line; a longer one is answered with 414.
        size: bytes of request line and header lines together; a larger head is answered with 431.
        fields: the number of header lines; with more, the answer is 431.
    """

    line: int = 16384
    size: int = 65536
    fields: int = 200


LIMITS = HeadLimits()
