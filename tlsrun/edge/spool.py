"""Request bodies, buffered until they are complete: in memory, then in an unnamed temporary file."""

from __future__ import annotations

from tlsrun import spool
from tlsrun.edge.limits import EdgeLimits
from tlsrun.http1.body import BodyReader
from tlsrun.http1.refusal import Refused, malformed


class RequestSpool(spool.Spool):
    """A `tlsrun.spool.Spool` for the body of a request, which is refused if the disk is full."""

    __slots__ = ()

    def append(self, data: bytes) -> None:
        """Keep ``data``.

        Raises:
            Refused: 507, the disk is full.
        """
        try:
            super().append(data)
        except OSError as error:
            raise Refused(507, "The server has no room for a body of this size.") from error


class SpooledBody:
    """A request body while it is received into a spool.

    Arguments:
        length: from Content-Length; None for a chunked body.
        limits: for its size, and for what is held in memory.

    Attributes:
        spool: what was received; whoever takes it closes it.
        done: the body is complete.
    """

    __slots__ = ("_limits", "_reader", "done", "spool")

    def __init__(self, length: int | None, limits: EdgeLimits) -> None:
        self._reader = BodyReader(length, malformed)
        self._limits = limits
        self.spool = RequestSpool(limits.buffer)
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Take what was received.

        Returns:
            what follows the end of the body.

        Raises:
            Refused: 400, 413 or 507.
        """
        pieces, rest = self._reader.feed(data)
        for piece in pieces:
            check_body(self.spool.size + len(piece), self._limits)
            self.spool.append(piece)
        self.done = self._reader.done
        return rest


def check_body(size: int, limits: EdgeLimits) -> None:
    """Raise `Refused` (413) for a body that is larger than the limit."""
    if limits.body is not None and size > limits.body:
        raise Refused(413, f"The request's body is larger than {limits.body} bytes.")
