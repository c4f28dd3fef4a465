"""How large a request's head may be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HeadLimits:
    """Bounds of one head.

    Arguments:
        line: bytes of the request line; longer is answered with 414.
        size: bytes of request line and header lines together; more is answered with 431.
        fields: number of header lines; more is answered with 431.
    """

    line: int = 16384
    size: int = 65536
    fields: int = 200


LIMITS = HeadLimits()
