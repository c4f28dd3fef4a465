"""A Procfile for Heroku and similar platforms, whose router terminates TLS."""

from __future__ import annotations

from tlsrun.deciding.plan import Plan
from tlsrun.export.cells import LeftOut, cells, no_option
from tlsrun.export.quoting import shell
from tlsrun.export.site import THREADS, Site
from tlsrun.export.text import comment
from tlsrun.servers.stock import ENTRY
from tlsrun.settings.table import environment_variable

TITLE = "A Procfile"
#: Routers reach a dyno from private addresses. Not `*`: the client's address is the last one in X-Forwarded-For that is
#: not one of these, and anything before it was sent by the client itself.
DEFAULTS = {
    "trusted_proxies": "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, fc00::/7",
    "proxy": "heroku",
}
_EDGE = "certificates or TLS: the platform's router ends it, and `heroku certs` knows the certificate"
_PORT = LeftOut("the platform says where to listen, by $PORT")
_ROUTER = LeftOut("is about TLS, which the platform's router ends")
_OF_THE_ROUTER = (
    "cert", "key", "key_password", "key_password_file", "key_password_command", "chain", "ciphers", "groups", "sni",
    "sni_strict", "client_ca", "client_crl", "context_hook", "acme_webroot", "redirect_port", "max_version",
)  # fmt: skip
MAPPING = cells(
    dict.fromkeys(_OF_THE_ROUTER, no_option(_EDGE, None, (), False, "")),
    server_options=no_option("options of a server, but for those in the line itself", {}),
    profile=no_option(_EDGE, "intermediate"),
    min_version=no_option(_EDGE, "1.2"),
    client_auth=no_option(_EDGE, None, "none"),
    handshake_timeout=no_option(_EDGE, 10.0),
    proxy_protocol=no_option("PROXY protocol: the router speaks HTTP", False),
    user=no_option("account: the platform has its own", None),
    group=no_option("account: the platform has its own", None),
    host=_PORT,
    port=_PORT,
    reload=_ROUTER,
    client_facts=_ROUTER,
)
RUNS = {"": "gunicorn"}
HTTP = ("1.1",)
NEEDS_CERTIFICATE: frozenset[str] = frozenset()


def render(plan: Plan, site: Site) -> str:
    """A ``Procfile``. Its readers ignore lines other than ``name: command``, so that comments are possible."""
    head = comment(
        f"{site.app} on Heroku: the router ends TLS and speaks HTTP to $PORT; the application believes what the "
        "router says of the client, and sends plain HTTP to HTTPS.",
        *site.origin,
        "Needs in requirements.txt: tlsrun[gunicorn]. $WEB_CONCURRENCY is set by the platform.",
    )
    trusted, proxy = ",".join(site.peers), ",".join(site.proxy)
    said = {"app": site.app, "trusted_proxies": trusted, "proxy": proxy}
    for name in ("redirect_exempt", "hosts", "proxy_drops_underscores"):
        if name in site.carried:
            said[name] = site.carried[name]
    if plan.hsts:
        said["hsts"] = str(plan.hsts)
    variables = [shell(f"{environment_variable(name)}={value}") for name, value in said.items()]
    words = [
        "gunicorn", "--bind", "0.0.0.0:$PORT", "--workers", f"${{WEB_CONCURRENCY:-{plan.workers}}}",
        "--worker-class", "gthread", "--threads", str(plan.threads or THREADS), "--no-control-socket",
        # Heartbeat files in memory: a dyno's disk can stall.
        "--worker-tmp-dir", "/dev/shm", ENTRY,  # noqa: S108 -- text of a file
    ]  # fmt: skip
    return head + f"\nweb: {' '.join((*variables, *words))}\n"
