"""How each setting reaches uWSGI."""

from __future__ import annotations

from tlsrun.servers.mapping import cells
from tlsrun.settings.mapping import Ours, To, Unsupported

HTTP = ("1.1",)

_EDGE = Ours("the edge in front of the workers")

MAPPING = cells(
    tls=_EDGE,
    listener=Ours("a socket that stays open over reloads"),
    workers=To("workers"),
    threads=To("threads"),
    http=Unsupported("speaks HTTP/1.1 only: what its workers hear is the uwsgi protocol", accepts=((), HTTP)),
    reload=Ours("a thread in each edge watches the files, workers know no certificates; SIGHUP loads everything anew"),
    proxy_protocol=_EDGE,
    user=To("uid"),
    group=To("gid"),
    handshake_timeout=_EDGE,
    server_options=Ours("uWSGI's own options, untouched"),
)
