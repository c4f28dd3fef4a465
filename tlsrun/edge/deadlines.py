"""What happens when a deadline passes, and when the edge stops."""

from __future__ import annotations

from collections.abc import Callable

from tlsrun.edge.closing import ANSWERING, WAITING
from tlsrun.edge.connection import EdgeConnection
from tlsrun.edge.deadline_channel import SENDER, WORKER
from tlsrun.http1.refusal import Refused


def expire(client: EdgeConnection) -> None:
    """Handle a passed deadline of ``client``."""
    limits = client.edge.limits
    if not client.shaken:
        if client.closing:
            client.abort()
        else:
            client.time_out_handshake()
    elif client.state == WAITING and client.flushed() and not client.inbox.size:
        client.close_after_response()
    elif client.state == WAITING and not client.slow and client.inbox.size:
        client.refuse(Refused(408, f"The request's headers took longer than {limits.head_timeout:g} s."))
    elif client.state == ANSWERING and client.awaited == WORKER:
        if client.exchange is not None:
            client.exchange.expire()
    elif client.awaited == SENDER:
        _expire_stalled(client, limits.body_timeout, lambda: _refuse_body(client))
    else:
        _expire_stalled(client, limits.write_timeout, client.abort)


def stop(client: EdgeConnection, seconds: float) -> None:
    """Stop an idle connection: one quiet for ``seconds`` is closed now, any other gets that long, as its next request
    may be on its way (RFC 9112, section 9.5)."""
    if client.state != WAITING:
        return
    now = client.edge.now
    quiet = client.edge.limits.idle_timeout - (client.deadline - now)
    if client.served and not client.inbox.size and (client.slow or quiet >= seconds):
        client.leave(client.finish)
    else:
        client.deadline = min(client.deadline, now + seconds)


def _expire_stalled(client: EdgeConnection, seconds: float, end: Callable[[], None]) -> None:
    """Call ``end``, unless there was enough progress since the deadline was set: then extend it."""
    moved = client.moved()
    if moved - client.mark < max(1, client.edge.limits.progress):
        end()
        return
    client.mark = moved
    client.set_deadline(seconds)


def _refuse_body(client: EdgeConnection) -> None:
    refused = Refused(408, f"The request's body stalled for {client.edge.limits.body_timeout:g} s.")
    if client.exchange is not None:
        client.exchange.fail(refused)
    else:
        client.refuse(refused)
