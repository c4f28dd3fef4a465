"""Hypercorn: HTTP/3, HTTP/2 and HTTP/1.1 in Python; serves the imported application in forked workers.

Hypercorn speaks HTTP. TLS over TCP is ours, one context created before the fork; the TLS of QUIC is aioquic's.
"""

from __future__ import annotations

from tlsrun.deciding.choosing import ServerFacts
from tlsrun.servers.hypercorn.mapping import BY_QUIC, MAPPING
from tlsrun.servers.server import Server

SERVER = Server(
    facts=ServerFacts(
        name="hypercorn",
        title="Hypercorn",
        mapping=MAPPING,
        http=("3", "2", "1.1"),
        http_limits={"3": BY_QUIC},
        rank=4,
    ),
    package="hypercorn",
    needs=("h2",),
    needed_for={"3": "aioquic"},
)
