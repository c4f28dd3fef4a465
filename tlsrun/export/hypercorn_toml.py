"""Hypercorn by its own command: a hypercorn.toml that ends TLS there."""

from __future__ import annotations

import json
from typing import Any

from tlsrun.export import serving
from tlsrun.export.cells import FOREIGN, cells, no_option
from tlsrun.export.material import key_path, path_of
from tlsrun.export.site import Site, addresses
from tlsrun.export.text import command, comment
from tlsrun.plan import Plan
from tlsrun.settings.mapping import Ours, Unsupported

TITLE = "Hypercorn's configuration file"
FORMS: dict[str, str] = {}
#: HTTP/3 only when it is asked for: with it Hypercorn up to 0.18 spends the whole graceful_timeout at each stop.
DEFAULTS = {"host": "::", "port": 443, "http": ("2", "1.1")}
_ONLY_HTTPS = no_option("redirect from plain HTTP; put one in front", None, ())
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
    threads=no_option("option for threads: it takes as many as it needs", None),
    reload=Unsupported("reads certificates at its start only", accepts=(True,)),
    user=Ours("user"),
    group=Ours("group"),
)
HTTP = ("3", "2", "1.1")
NEEDS_CERTIFICATE = frozenset(("",))


def render(plan: Plan, site: Site) -> str:
    """A ``hypercorn.toml``."""
    head = comment(
        f"Hypercorn serving {site.app} over HTTPS, by Hypercorn's own command.",
        f"Written by: {site.command}",
        f"    cd {site.folder}\n"
        + command([f"{site.environment}/bin/hypercorn", "-c", "hypercorn.toml", f"wsgi:{serving.ENTRY}"],
                  serving.variables(plan, site, carried=True)),
        "A renewed certificate is read at a restart. Hypercorn tells an application nothing of the TLS connection, and "
        "its WSGI adapter answers requests that have an empty answer (HEAD, 204, 304) with 500 up to version 0.18.",
    )  # fmt: skip
    values: dict[str, Any] = {
        "bind": [f"{address}:{plan.endpoint.port}" for address in addresses(plan)],
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
    if plan.account is not None:
        values |= {"user": plan.account.uid, "group": plan.account.gid}
    lines = [f"# Mozilla's {plan.profile} profile, guideline 6.0."] + [_line(*one) for one in values.items()]
    if plan.clients is not None:
        lines += [
            "# Clients show certificates that this authority has signed; 1 is ssl.CERT_OPTIONAL, 2 ssl.CERT_REQUIRED.",
            _line("ca_certs", path_of(plan.clients.ca)),
            _line("verify_mode", 2 if plan.clients.mode == "required" else 1),
        ]
    return head + "\n" + "\n".join(lines) + "\n"


def _line(name: str, value: Any) -> str:
    """TOML's strings, numbers, booleans and lists of strings are those of JSON."""
    return f"{name} = {json.dumps(value)}"
