"""Hypercorn by its own command: a hypercorn.toml in which Hypercorn terminates TLS."""

from __future__ import annotations

from typing import Any

from tlsrun.deciding.plan import Plan
from tlsrun.export import serving
from tlsrun.export.cells import FOREIGN, cells, no_option, read_when_told
from tlsrun.export.material import key_path, path_of, quoted
from tlsrun.export.quoting import toml
from tlsrun.export.site import Site, sockets
from tlsrun.export.text import command, comment, guideline
from tlsrun.servers.hypercorn.mapping import BY_QUIC
from tlsrun.settings.mapping import Ours, Unsupported
from tlsrun.settings.table import environment_variable

TITLE = "Hypercorn's own command"
#: HTTP/3 on request only: with it Hypercorn (seen in 0.18) spends the whole graceful_timeout at each stop.
DEFAULTS = {"host": "::", "port": 443, "http": ("2", "1.1")}
_ONLY_HTTPS = no_option("redirect from plain HTTP; put one in front", None, ())
#: Its options `user` and `group` set the owner of Unix sockets (hypercorn.config.Config, as of 0.18).
_ACCOUNT = Unsupported(
    "becomes nobody else; start it as the account that it is to be (User= in a unit)", accepts=(None,)
)
MAPPING = cells(
    FOREIGN,
    proxy_protocol=no_option("PROXY protocol", False),
    profile=Unsupported("always speaks TLS 1.2 too", accepts=("intermediate",)),
    min_version=Unsupported("always speaks TLS 1.2 too", accepts=("1.2",)),
    max_version=no_option("option for the newest TLS version", None),
    groups=no_option("option for key exchange groups", ()),
    sni=no_option("second certificate", None),
    sni_strict=no_option("second certificate", False),
    client_crl=no_option("revocation lists", None),
    client_facts=Unsupported("tells the application nothing of a client's certificate", accepts=(False,)),
    redirect_port=_ONLY_HTTPS,
    hosts=_ONLY_HTTPS,
    acme_webroot=_ONLY_HTTPS,
    threads=Ours("the adapter of tlsrun.entry"),
    reload=read_when_told("at its start"),
    user=_ACCOUNT,
    group=_ACCOUNT,
)
RUNS = {"": "hypercorn"}
#: The limits of HTTP/3 under `tlsrun run`, and those that only `tlsrun run` removes.
HTTP_LIMITS = {
    "3": {
        **BY_QUIC,
        "workers": Unsupported(
            "has one UDP socket for all workers, and loses connections to the wrong one", accepts=(1,)
        ),
        "trusted_proxies": Unsupported(
            "announces HTTP/3 to everybody (Alt-Svc), and a proxy tells that its clients", accepts=((),)
        ),
        "handshake_timeout": Unsupported("has no deadline for handshakes", accepts=(10.0,)),
    }
}

_ENTRY = "tlsrun.entry:asgi"


def render(plan: Plan, site: Site) -> str:
    """A ``hypercorn.toml``."""
    words = [f"{site.environment}/bin/hypercorn", "-c", site.file("hypercorn.toml"), f"asgi:{_ENTRY}"]
    threads = [f"{environment_variable('threads')}={plan.threads}"] if plan.threads else []
    head = comment(
        f"Hypercorn serving {site.app} over HTTPS, by Hypercorn's own command.",
        *site.origin,
        f"    cd {quoted(str(site.folder))}\n"
        + command(words, [*serving.variables(plan, site, carried=True), *threads]),
        f"By {_ENTRY}, which is an ASGI application around the WSGI one, what Hypercorn's own WSGI adapter does wrong "
        "up to version 0.18 is put right: 500 for answers without a body (HEAD, 204, 304), cookies joined by commas, "
        "bodies held whole in memory.",
        "A renewed certificate is read at a restart. What `tlsrun run --server hypercorn` does besides, and this file "
        "cannot: the application is told of the TLS connection, sessions resume in every worker, an answer that breaks "
        "off does not look complete, slow and hostile clients are bounded.",
    )
    values: dict[str, Any] = {
        "bind": [f"{address}:{plan.endpoint.port}" for address in sockets(plan)],
        "workers": plan.workers,
        "certfile": path_of(plan.sources.cert),
        "keyfile": key_path(plan.sources),
        "ciphers": plan.policy.ciphers,
        "alpn_protocols": list(plan.policy.alpn),
        "ssl_handshake_timeout": plan.handshake_timeout,
        "keep_alive_timeout": 5.0,
        "graceful_timeout": 5.0 if "3" in plan.http else 30.0,
        "include_server_header": False,
    }
    if "3" in plan.http:
        values["quic_bind"] = values["bind"]
    lines = [f"# {guideline(plan)}.", *(_line(*one) for one in values.items())]
    if plan.clients is not None:
        lines += [
            "# Clients show certificates that this authority has signed; 1 is ssl.CERT_OPTIONAL, 2 ssl.CERT_REQUIRED.",
            _line("ca_certs", path_of(plan.clients.ca)),
            _line("verify_mode", 2 if plan.clients.mode == "required" else 1),
        ]
    return head + "\n" + "\n".join(lines) + "\n"


def _line(name: str, value: Any) -> str:
    return f"{name} = {toml(value)}"
