"""What the pages hold, for both frameworks."""

from __future__ import annotations

from collections.abc import Iterator

HELLO = "Hello"
KIB64 = b"x" * 65536
#: 64 MiB, in as many parts.
PARTS = 1024
MIB64 = PARTS * len(KIB64)


def parts() -> Iterator[bytes]:
    """The large answer, piece by piece, as an application streams it."""
    for _ in range(PARTS):
        yield KIB64
