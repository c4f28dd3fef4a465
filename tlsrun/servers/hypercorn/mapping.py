"""How each setting takes effect on Hypercorn, and which ones its HTTP/3 does not support."""

from __future__ import annotations

from collections.abc import Mapping

from tlsrun.servers.mapping import cells
from tlsrun.settings.bind_kind import is_one_endpoint
from tlsrun.settings.mapping import Ours, Unsupported

_ACCOUNT = Ours("each worker becomes it")

MAPPING = cells(
    tls=Ours("one context, made before the workers are forked; HTTP/3 has its own"),
    listener=Ours("sockets that the workers share; HTTP/3 has one for each worker"),
    workers=Ours("processes forked from this one"),
    threads=Ours("so many requests run at once; a thread that waits for its client is not counted"),
    http=Ours("by ALPN; HTTP/3 on the same port by UDP, announced by Alt-Svc"),
    reload=Ours("a thread in each worker watches the files; SIGHUP loads all anew"),
    proxy_protocol=Ours("read before the handshake"),
    user=_ACCOUNT,
    group=_ACCOUNT,
    handshake_timeout=Ours("a deadline for each connection"),
    server_options=Ours("Hypercorn's own options"),
)

#: Settings that HTTP/3 cannot honour, as its TLS is aioquic's: setting -> why, and the values that are no error.
BY_QUIC: Mapping[str, Unsupported] = {
    "bind": Unsupported("listens at one address and port, by UDP", accepts=((),), allows=is_one_endpoint),
    "max_version": Unsupported("is TLS 1.3 (RFC 9001)", accepts=(None, "1.3")),
    "groups": Unsupported("has its own key exchange groups", accepts=((),)),
    "context_hook": Unsupported("does TLS without an SSLContext", accepts=(None,)),
    "sni": Unsupported("serves one certificate, whatever name the client asks for", accepts=(None,)),
    "sni_strict": Unsupported("does not look at the name that the client asks for", accepts=(False,)),
    "client_ca": Unsupported("cannot ask clients for certificates", accepts=(None,)),
    "proxy_protocol": Unsupported("comes in datagrams, where no PROXY header is awaited", accepts=(False,)),
}
