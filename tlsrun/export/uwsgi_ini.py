"""uWSGI by its own command and an ini file: with `tlsrun.edge` in a mule, or with uWSGI's own TLS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import PurePosixPath

from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError
from tlsrun.export import serving
from tlsrun.export.cells import FOREIGN, cells, read_when_told
from tlsrun.export.material import key_path, path_of, quoted
from tlsrun.export.quoting import uwsgi, uwsgi_placeholders
from tlsrun.export.site import THREADS, Site
from tlsrun.export.text import comment, guideline
from tlsrun.servers.stock import ENTRY
from tlsrun.settings.mapping import Ours, Unsupported
from tlsrun.settings.table import environment_variable

TITLE = "uWSGI"
FORMS = {"edge": "TLS ends in tlsrun's edge, a mule; any uWSGI", "native": "uWSGI's own `https =`; a uWSGI with SSL"}
DEFAULTS = {"host": "0.0.0.0", "port": 443}  # noqa: S104 -- text of a file
MAPPING = cells(
    FOREIGN,
    context_hook=Unsupported("is read by a uWSGI that knows no Python function yet", accepts=(None,)),
    user=Ours("uid"),
    group=Ours("gid"),
    reload=Ours("the edge watches the files"),
)


def _native_has_no(*accepts: object) -> Unsupported:
    return Unsupported("with its own TLS has no option for it; end TLS in the edge (--upstream edge)", accepts=accepts)


#: With uWSGI's own TLS.
BY_FORM = {
    "native": {
        "groups": _native_has_no(()),
        "profile": _native_has_no("intermediate"),
        "min_version": _native_has_no("1.2"),
        "max_version": _native_has_no(None, "1.3"),
        "sni_strict": _native_has_no(False),
        "client_crl": _native_has_no(None),
        "hosts": _native_has_no(()),
        "proxy_protocol": _native_has_no(False),
        "acme_webroot": _native_has_no(None),
        "handshake_timeout": _native_has_no(),
        "reload": read_when_told("at the start and at a reload (SIGHUP)"),
    }
}
RUNS = {"edge": "uwsgi", "native": "uwsgi"}
HTTP = ("1.1",)

#: Settings that are options of uWSGI itself.
_OF_UWSGI = ("workers", "threads", "user", "group", "server_options", "bind")


def render(plan: Plan, site: Site) -> str:
    """An ini file.

    Raises:
        ConfigurationError: uWSGI's own TLS cannot do what is set: several certificates for one name, or a redirect to
            another port than 443.
    """
    if site.form == "native" and plan.redirect_port is not None and plan.endpoint.port != 443:
        what = "uWSGI's own redirect leads to port 443, and HTTPS is on another"
        raise ConfigurationError.of(where="--redirect-port", what=what, remedy="End TLS in the edge (--upstream edge)")
    if site.form == "native" and any(len(several) > 1 for several in plan.sni.values()):
        remedy = "Keep one of them, ECDSA, or end TLS in the edge (--upstream edge)"
        raise ConfigurationError.of(where="sni", what="uWSGI's own TLS takes one certificate for a name", remedy=remedy)
    tls = _native(plan) if site.form == "native" else _edge(plan, site)
    text = "\n".join([*_common(plan, site), "", *tls]) + "\n"
    return _head(plan, site) + "\n[uwsgi]\n" + "".join(f"{line}\n" for line in uwsgi_placeholders(text)) + text


def _head(plan: Plan, site: Site) -> str:
    if site.form == "native":
        kind = "that has SSL (pip install --no-binary=pyuwsgi pyuwsgi)"
        renewed = "A renewed certificate is read at a reload: certbot renew --deploy-hook 'systemctl reload NAME'."
    else:
        kind = "such as PyPI's wheels, which have no SSL"
        renewed = "A renewed certificate is served within seconds. The account that uWSGI runs as must be able to read "
        renewed += "the key."
    return comment(
        f"uWSGI serving {site.app} over HTTPS; for a uWSGI {kind}.",
        *site.origin,
        "Start it:",
        f"    {quoted(f'{site.environment}/bin/uwsgi')} --ini {quoted(_file(site))}",
        *_folder_of_socket(plan, site),
        renewed,
        "What `tlsrun run --server uwsgi` does besides, and this file cannot: at a stop and a reload requests in "
        "flight are finished before workers and TLS end.",
        mark=";",
    )


def _file(site: Site) -> str:
    return str(site.folder / site.written) if site.written else f"{site.name}.ini"


def _own_folder(site: Site) -> str | None:
    """The folder in /run for the socket between edge and workers; None if the user placed the socket elsewhere."""
    path = PurePosixPath(_socket(site))
    return str(path.parent) if path.parent == PurePosixPath("/run", site.name) else None


def _socket(site: Site) -> str:
    return site.socket if site.is_unix else f"/run/{site.name}/app.sock"


def _folder_of_socket(plan: Plan, site: Site) -> Iterator[str]:
    if site.form == "native":
        return
    folder = _own_folder(site)
    if folder is None:
        yield f"The folder of {site.socket} must be there, and the account that uWSGI runs as must own it."
        return
    yield (
        f"Started by root it makes {folder}, for the socket between edge and workers. For another account root makes "
        f"that (in a unit of systemd's: RuntimeDirectory={site.name}), or the socket is somewhere else (--socket PATH):"
    )
    yield f"    install -d -o ACCOUNT {folder}"


def _common(plan: Plan, site: Site) -> Iterator[str]:
    yield "; An option that this uWSGI does not have is an error; without this, `https` would be ignored in silence."
    yield "strict = true"
    yield "master = true"
    yield "need-app = true"
    yield "die-on-term = true"
    yield "enable-threads = true"
    yield "single-interpreter = true"
    yield "; At a reload, uWSGI would look for the interpreter outside of the virtual environment."
    yield f"binary-path = {uwsgi(str(site.environment))}/bin/python"
    if plan.account is not None:
        yield f"uid = {plan.account.uid}"
        yield f"gid = {plan.account.gid}"
    yield ""
    yield f"chdir = {uwsgi(str(site.folder))}"
    for variable in _variables(plan, site) if site.form == "edge" else serving.variables(plan, site, carried=True):
        yield f"env = {uwsgi(variable)}"
    yield f"module = {ENTRY}"
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
    folder = _own_folder(site)
    if folder is not None:
        account = plan.account
        whose = f" -o {account.uid} -g {account.gid}" if account else ""
        yield "; Before root's rights are gone."
        yield f"exec-asap = install -d{whose} {folder}"
    yield "; Workers hear of requests on this socket; the edge tells them what the connection was."
    yield f"socket = {_socket(site)}"
    yield "chmod-socket = 600"
    yield "; TLS: the master keeps the port open, a mule ends TLS on it."
    yield f"shared-socket = {plan.endpoint.authority}"
    yield "mule = tlsrun.servers.uwsgi.mule:edge"


def _variables(plan: Plan, site: Site) -> list[str]:
    """The environment of workers and edge: the settings from every layer, since the edge reads nothing else."""
    clients = plan.clients
    files = {
        "cert": path_of(plan.sources.cert),
        "key": key_path(plan.sources),
        "client_ca": path_of(clients.ca) if clients and clients.ca.path else None,
        "client_crl": path_of(clients.crl) if clients and clients.crl and clients.crl.path else None,
        "acme_webroot": plan.acme_webroot and os.path.abspath(plan.acme_webroot),
    }
    said: dict[str, object] = {
        **{name: text for name, text in site.said.items() if name not in _OF_UWSGI},
        **{name: path for name, path in files.items() if path},
        "app": site.app,
        "server": "uwsgi",
        "host": plan.endpoint.host,
        "port": plan.endpoint.port,
    }
    return [f"{environment_variable(name)}={value}" for name, value in said.items()]


def _native(plan: Plan) -> Iterator[str]:
    policy = plan.policy
    words = [plan.endpoint.authority, path_of(plan.sources.cert), key_path(plan.sources), policy.ciphers]
    if plan.clients is not None:
        words.append(("!" if plan.clients.mode == "required" else "") + path_of(plan.clients.ca))
    yield f"; {guideline(plan)}: address, certificate with chain, key, suites of TLS 1.2"
    if plan.clients is not None:
        yield "; and the authority that signs client certificates (! : they are required)."
    yield f"https = {uwsgi(','.join(words))}"
    yield "http-keepalive = true"
    yield "http-timeout = 60"
    if plan.clients is not None:
        yield "; The client's certificate goes to the application, which sees it by mod_ssl's names."
        yield "https-export-cert = true"
    for name, several in plan.sni.items():
        clients = f",,{words[4]}" if plan.clients is not None else ""
        yield f"sni = {uwsgi(f'{name} {path_of(several[0].cert)},{key_path(several[0])}{clients}')}"
    if plan.redirect_port is not None:
        yield "; Plain HTTP is sent to HTTPS, with 301: a client may make a GET of a POST."
        host = plan.endpoint.authority.rpartition(":")[0]
        yield f"http-to-https = {host}:{plan.redirect_port}"
