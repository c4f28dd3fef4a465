"""The access log: one line for each request, when it is switched on."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tlsrun.endpoint import spell_peer
from tlsrun.http1.head import Head

_log = logging.getLogger("tlsrun.edge.access")

#: Called with the client's address, the request (None: it was malformed), the status (0: the answer broke off)
#: and the seconds since the head was read.
Access = Callable[[tuple[str, int], Head | None, int, float], None]


def write_line(peer: tuple[str, int], request: Head | None, status: int, seconds: float) -> None:
    """An `Access` that logs; a target holds only printable ASCII, so no line can be forged."""
    if request is None:
        _log.info('%s "-" %d', spell_peer(peer), status)
        return
    version = "1.0" if request.http10 else "1.1"
    _log.info(
        '%s "%s %s HTTP/%s" %s %.3f s',
        spell_peer(peer), request.method.decode(), request.target.decode(), version, status or "broke off", seconds,
    )  # fmt: skip
