"""How each setting reaches gunicorn."""

from __future__ import annotations

from tlsrun.servers.mapping import cells
from tlsrun.settings.mapping import Ours, To, Unsupported

HTTP = ("1.1",)

MAPPING = cells(
    tls=Ours("one context, made before the workers are forked"),
    listener=To("bind"),
    workers=To("workers"),
    threads=To("threads"),
    http=Unsupported(
        "speaks HTTP/1.1 only: its own HTTP/2 holds a thread for each connection, so that a few which are idle or only "
        "send PING stop everybody",
        accepts=((), HTTP),
    ),
    reload=Ours("a thread in each worker watches the files; SIGHUP loads all anew"),
    proxy_protocol=Ours("read before the handshake, by the reactor"),
    user=To("user"),
    group=To("group"),
    handshake_timeout=Ours("a handshake reactor in each worker"),
    server_options=Ours("gunicorn's own settings, untouched"),
)
