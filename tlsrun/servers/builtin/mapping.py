"""How each setting reaches the built-in server."""

from __future__ import annotations

from tlsrun.servers.mapping import cells
from tlsrun.settings.mapping import Ours, Unsupported

HTTP = ("1.1",)

_ACCOUNT = Ours("changes to it before the first request")

MAPPING = cells(
    tls=Ours("Python's ssl"),
    listener=Ours("its own listening sockets"),
    workers=Unsupported("runs in one process", accepts=(1,)),
    threads=Ours("so many requests at a time; without it as many as come"),
    http=Unsupported("speaks HTTP/1.1 only", accepts=((), HTTP)),
    proxy_protocol=Ours("read before the handshake, in the connection's own thread"),
    user=_ACCOUNT,
    group=_ACCOUNT,
    handshake_timeout=Ours("in the connection's own thread"),
    reload=Ours("a thread watches the files; on demand by a restart"),
    server_options=Ours("time-outs, limits, reloader and debugger"),
)
