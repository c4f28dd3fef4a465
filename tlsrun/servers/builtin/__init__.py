"""The built-in server: threads, HTTP/1.1 with keep-alive, handshakes in the connections' threads."""

from __future__ import annotations

from tlsrun.deciding.choosing import ServerFacts
from tlsrun.servers.builtin.mapping import HTTP, MAPPING
from tlsrun.servers.server import Server

SERVER = Server(
    facts=ServerFacts(
        name="builtin", title="the built-in server", mapping=MAPPING, http=HTTP, rank=5, for_development=True
    ),
    package=None,
    forks=False,
)
