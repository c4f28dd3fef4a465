"""The edge as a program of its own: ``python -m tests.edge.run '{"port": …}'``."""

from __future__ import annotations

import json
import logging
import resource
import socket
import ssl
import sys
from typing import Any

import tlsrun.edge.loop
from tlsrun.connections.server_context import ServerContext
from tlsrun.edge.limits import EdgeLimits
from tlsrun.edge.loop import serve
from tlsrun.wsgi.facts import connection_facts


def main(options: dict[str, Any]) -> None:
    """Serve until a signal comes."""
    if options["loop"] == "asyncio":
        tlsrun.edge.loop.is_installed = lambda module: False
    if options["descriptors"]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (options["descriptors"], options["descriptors"]))
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.allowed_host = lambda host: host == "localhost"
    context.load_cert_chain(options["cert"], options["key"])
    if options["client_ca"]:
        context.load_verify_locations(options["client_ca"])
        context.verify_mode = ssl.CERT_OPTIONAL
    context.sni_callback = lambda tls, name, base: setattr(tls, "tls_sni", name)
    listener = socket.socket(socket.AF_INET6 if options["ipv6"] else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("::1" if options["ipv6"] else "127.0.0.1", options["port"]))
    listener.listen(1024)
    serve(
        [listener],
        context,
        upstream=options["upstream"],
        limits=EdgeLimits(**options["limits"]),
        handshake_timeout=options["handshake_timeout"],
        server_name=options["server_name"],
        facts=connection_facts,
        access_log=options["access_log"],
        on_ready=lambda edge: logging.getLogger("test").info("ready"),
    )
    logging.getLogger("test").info("returned")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
