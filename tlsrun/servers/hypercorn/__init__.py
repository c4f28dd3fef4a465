"""Hypercorn: HTTP/3, HTTP/2 and HTTP/1.1 in Python; the live application, in workers forked from here.

Hypercorn speaks HTTP; the TLS of TCP is ours, one context from before the fork. The TLS of QUIC is aioquic's.
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
