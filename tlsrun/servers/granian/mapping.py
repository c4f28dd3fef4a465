"""How each setting reaches Granian."""

from __future__ import annotations

from tlsrun.servers.mapping import cells
from tlsrun.settings.mapping import Ours, To, Unsupported

_PASSWORD = Ours("Granian gets the decrypted key, in a private file")
_ACCOUNT = Ours("workers change to it before they serve; who reads the certificates stays root")

MAPPING = cells(
    tls=To("ssl_cert"),
    listener=Ours("a socket for each worker"),
    key=To("ssl_key"),
    key_password=_PASSWORD,
    key_password_file=_PASSWORD,
    key_password_command=_PASSWORD,
    bind=Ours("sockets for each worker; Unix sockets, and systemd's, are shared"),
    workers=To("workers"),
    threads=Ours("so many requests run at once; a thread that waits for its client is not counted"),
    http=To("http"),
    profile=To("ssl_protocol_min"),
    min_version=To("ssl_protocol_min"),
    max_version=Unsupported("always speaks TLS 1.3", accepts=(None, "1.3")),
    ciphers=Unsupported("has its own suites, which cannot be chosen: those of the profile intermediate"),
    groups=Unsupported("has its own key exchange groups, which cannot be chosen: X25519, P-256 and P-384"),
    context_hook=Unsupported("does TLS with rustls, where there is no SSLContext"),
    reload=Ours("new workers take over, once Granian has been seen to take the files; SIGHUP loads all anew"),
    sni=Unsupported("serves one certificate, whatever name the client asks for"),
    sni_strict=Unsupported("does not look at the name that the client asks for", accepts=(False,)),
    client_ca=To("ssl_ca"),
    client_auth=To("ssl_client_verify"),
    client_crl=Ours("`ssl_crl`; it wants a list of every authority on a client's path, of version 2"),
    client_facts=Unsupported("verifies client certificates, and cannot tell the application whose", accepts=(False,)),
    proxy_drops_underscores=Ours("behind a proxy it must be one that does: Granian itself does not tell them apart"),
    proxy_protocol=Unsupported("shakes hands in Rust, where nothing can be read before", accepts=(False,)),
    user=_ACCOUNT,
    group=_ACCOUNT,
    handshake_timeout=Unsupported("gives every handshake 10 seconds", accepts=(10.0,)),
    server_options=Ours("Granian's own parameters"),
)
