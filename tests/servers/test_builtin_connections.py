"""Which connections end, and when."""

from __future__ import annotations

from typing import Any

from tlsrun.servers.builtin.connections import Connections, Phase


class _Connection:
    ended = False

    def stop_reading(self, why: str | None = None) -> None:
        self.ended = True


def test_one_that_became_idle_unseen_while_the_server_stopped() -> None:
    """It ends at the next look, however long it might have been kept; one whose request runs does not."""
    connections = Connections(10)
    idle, busy = _Connection(), _Connection()
    for one in (idle, busy):
        sock: Any = one
        connections.add(sock)
        connections.move(sock, Phase.BUSY)
    connections.stop(0)
    # As a thread does that has not seen yet that the server stops.
    connections._places[idle].phase = Phase.IDLE  # type: ignore[index]
    connections.expire(1000)
    assert idle.ended
    assert not busy.ended
