"""What a protocol tells its connection, beside Hypercorn's own events."""

from __future__ import annotations

from dataclasses import dataclass

from hypercorn.events import Event


@dataclass(frozen=True)
class Broken(Event):
    """The connection cannot go on, and its client shall see that something is missing."""
