"""uWSGI by its own command and an ini file: with the edge as a mule, or with the TLS of a uWSGI that has SSL."""

from __future__ import annotations

from collections.abc import Iterator

from tlsrun.errors import ConfigurationError, Problem
from tlsrun.export import serving
from tlsrun.export.cells import FOREIGN, cells
from tlsrun.export.material import key_path, path_of
from tlsrun.export.site import THREADS, Site
from tlsrun.export.text import comment
from tlsrun.plan import Plan
from tlsrun.settings.mapping import Ours, Unsupported

TITLE = "uWSGI's ini file"
FORMS = {"edge": "TLS ends in tlsrun's edge, a mule; any uWSGI", "native": "uWSGI's own `https =`; a uWSGI with SSL"}
DEFAULTS = {"host": "0.0.0.0", "port": 443}  # noqa: S104 -- text of a file
MAPPING = cells(
    FOREIGN,
    context_hook=Unsupported("is read by a uWSGI that knows no Python function yet", accepts=(None,)),
    user=Ours("uid"),
    group=Ours("gid"),
    reload=Ours("the edge watches the files; a uWSGI with SSL reads them at its reload (SIGHUP)"),
)
HTTP = ("1.1",)
NEEDS_CERTIFICATE = frozenset(FORMS)


def render(plan: Plan, site: Site) -> str:
    """An ini file.

    Raises:
        ConfigurationError: what uWSGI's own TLS has no option for is asked for.
    """
    if site.form == "native":
        problems = list(_problems(plan))
        if problems:
            raise ConfigurationError(problems)
    tls = _native(plan) if site.form == "native" else _edge(plan, site)
    return _head(plan, site) + "\n[uwsgi]\n" + "\n".join([*_common(plan, site), "", *tls]) + "\n"


def _problems(plan: Plan) -> Iterator[Problem]:
    lacking = {
        "groups": bool(plan.policy.groups),
        "max_version": plan.policy.max_version == "1.2",
        "sni_strict": plan.sni_strict,
        "client_crl": plan.clients is not None and plan.clients.crl is not None,
        "hosts": bool(plan.hosts),
        "proxy_protocol": plan.proxy_protocol,
        "acme_webroot": plan.acme_webroot is not None,
        "sni (several certificates for a name)": any(len(several) > 1 for several in plan.sni.values()),
    }
    for name, asked in lacking.items():
        if asked:
            yield Problem(where=name, what="uWSGI's own TLS has no option for it",
                          remedy="Leave it out, or end TLS in the edge (--upstream edge)")  # fmt: skip


def _head(plan: Plan, site: Site) -> str:
    native = site.form == "native"
    kind = (
        "that has SSL (pip install --no-binary=pyuwsgi pyuwsgi)"
        if native
        else "such as PyPI's wheels, which have no SSL"
    )
    renewed = (
        "A renewed certificate is read at a reload: certbot renew --deploy-hook 'systemctl reload NAME'."
        if native
        else "A renewed certificate is served within seconds. The account that uWSGI runs as must be able to read "
        "the key."
    )
    return comment(
        f"uWSGI serving {site.app} over HTTPS; for a uWSGI {kind}.",
        f"Written by: {site.command}",
        f"Start it: {site.environment}/bin/uwsgi --ini {site.name}.ini",
        renewed,
        "What `tlsrun run --server uwsgi` does besides, and this file cannot: at a stop and a reload requests in "
        "flight are finished before workers and TLS end.",
        mark=";",
    )


def _common(plan: Plan, site: Site) -> Iterator[str]:
    yield "; An option that this uWSGI does not have is an error; without this, `https` would be ignored in silence."
    yield "strict = true"
    yield "master = true"
    yield "need-app = true"
    yield "die-on-term = true"
    yield "enable-threads = true"
    yield "single-interpreter = true"
    yield "; At a reload, uWSGI would look for the interpreter outside of the virtual environment."
    yield f"binary-path = {site.environment}/bin/python"
    if plan.account is not None:
        yield f"uid = {plan.account.uid}"
        yield f"gid = {plan.account.gid}"
    yield ""
    yield f"chdir = {site.folder}"
    for variable in serving.variables(plan, site, carried=True):
        yield f"env = {variable}"
    yield f"module = {serving.ENTRY}"
    yield f"processes = {plan.workers}"
    yield f"threads = {plan.threads or THREADS}"
    yield "disable-logging = true"
    yield ""
    yield "; Room for large cookies and for what is told of the connection."
    yield "buffer-size = 65535"
    yield "max-vars = 256"
    yield "; Bodies are read even when the application does not."
    yield "post-buffering = 65536"
    yield "; Seconds that requests in flight have at a reload."
    yield "worker-reload-mercy = 30"
    yield "mule-reload-mercy = 30"


def _edge(plan: Plan, site: Site) -> Iterator[str]:
    socket = site.socket if site.is_unix else f"/run/{site.name}/app.sock"
    yield "; Workers hear of requests on this socket; the edge tells them what the connection was."
    yield f"socket = {socket}"
    yield "chmod-socket = 600"
    yield "; TLS: the master keeps the port open, a mule ends TLS on it."
    yield f"shared-socket = {plan.endpoint.authority}"
    yield "mule = tlsrun.servers.uwsgi.mule:edge"
    values = {
        "SERVER": "uwsgi", "HOST": plan.endpoint.host, "PORT": plan.endpoint.port,
        "CERT": path_of(plan.sources.cert), "KEY": key_path(plan.sources), "PROFILE": plan.profile,
        "HANDSHAKE_TIMEOUT": f"{plan.handshake_timeout:g}", "REDIRECT_PORT": plan.redirect_port,
        "HOSTS": ",".join(plan.hosts), "ACME_WEBROOT": plan.acme_webroot, "RELOAD": "" if plan.reload else "no",
        "MIN_VERSION": plan.policy.min_version if plan.profile != "modern" else "",
        "MAX_VERSION": plan.policy.max_version, "GROUPS": ",".join(plan.policy.groups),
    }  # fmt: skip
    if plan.clients is not None:
        values |= {"CLIENT_CA": path_of(plan.clients.ca), "CLIENT_AUTH": plan.clients.mode}
        if plan.clients.crl is not None:
            values["CLIENT_CRL"] = path_of(plan.clients.crl)
    for name, value in values.items():
        if value:
            yield f"env = TLSRUN_{name}={value}"


def _native(plan: Plan) -> Iterator[str]:
    policy = plan.policy
    words = [plan.endpoint.authority, path_of(plan.sources.cert), key_path(plan.sources), policy.ciphers]
    if plan.clients is not None:
        words.append(("!" if plan.clients.mode == "required" else "") + path_of(plan.clients.ca))
    yield f"; Mozilla's {plan.profile} profile, guideline 6.0: address, certificate with chain, key, suites of TLS 1.2"
    if plan.clients is not None:
        yield "; and the authority that signs client certificates (! : they are required)."
    if policy.min_version == "1.3":
        yield "; SSL_OP_NO_TLSv1_2: TLS 1.3 only."
        yield "ssl-option = 134217728"
    yield f"https = {','.join(words)}"
    yield "http-keepalive = true"
    yield "http-timeout = 60"
    if plan.clients is not None:
        yield "; The client's certificate goes to the application, which sees it by mod_ssl's names."
        yield "https-export-cert = true"
    for name, several in plan.sni.items():
        clients = f",,{words[4]}" if plan.clients is not None else ""
        yield f"sni = {name} {path_of(several[0].cert)},{key_path(several[0])}{clients}"
    if plan.redirect_port is not None:
        yield "; Plain HTTP is sent to HTTPS."
        host = plan.endpoint.authority.rpartition(":")[0]
        yield f"http-to-https = {host}:{plan.redirect_port}"
