"""Events from a protocol to its connection, in addition to Hypercorn's."""

from __future__ import annotations

from dataclasses import dataclass

from hypercorn.events import Event


@dataclass(frozen=True)
class Broken(Event):
    """The connection must be aborted, so that the client notices that its response is incomplete."""
