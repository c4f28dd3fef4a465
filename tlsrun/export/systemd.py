"""systemd: a hardened service with its socket; TLS ends in the service, or in a proxy in front of it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tlsrun.deciding.plan import Plan
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError
from tlsrun.export import serving
from tlsrun.export.cells import OF_TLS, OURS, LeftOut, cells
from tlsrun.export.material import key_path, path_of
from tlsrun.export.quoting import specifiers, unit, unit_word
from tlsrun.export.site import Site
from tlsrun.export.systemd_socket import socket_unit
from tlsrun.export.text import after_options, comment
from tlsrun.servers import load
from tlsrun.settings.mapping import Ours, Unsupported

TITLE = "A systemd service"
FORMS = {
    "tls": "TLS ends in the service",
    "http": "a front ends TLS and speaks HTTP to a Unix socket",
    "uwsgi": "a front ends TLS and speaks the uwsgi protocol to a Unix socket",
}
DEFAULTS = {"host": "::", "port": 443}
MAPPING = cells(OURS)
_OF_THE_FRONT = LeftOut("is the affair of the front, where TLS ends", "Set it in the front's own file (tlsrun export)")
_ONE_SOCKET = LeftOut("the service listens on its socket alone", "Name that by --socket")
_BEHIND = {
    **dict.fromkeys(OF_TLS, _OF_THE_FRONT),
    **dict.fromkeys(("host", "port", "bind"), _ONE_SOCKET),
    "server_options": Unsupported("runs a command that has none of them; add them to ExecStart", accepts=({},)),
}
#: Behind a proxy the server is started by its own command. The application learns of client certificates from a trusted
#: header over HTTP; the uwsgi protocol has variables for them.
BY_FORM = {
    "http": {**_BEHIND, **dict.fromkeys(("client_ca", "client_auth"), Ours("whether the front's header is believed"))},
    "uwsgi": _BEHIND,
}
RUNS = {"uwsgi": "uwsgi"}
NEEDS_CERTIFICATE = frozenset(("tls",))

#: Variables whose values begin with a specifier: paths of credentials.
_CREDENTIALS = ("TLSRUN_CERT", "TLSRUN_KEY", "TLSRUN_KEY_PASSWORD_FILE")

#: Restrictions that a web application does not notice (systemd.exec(5)); `systemd-analyze security` rates them.
_HARDENING = """\
# What the application needs nothing of. ProtectHome keeps /home readable for a project that is there;
# folders that the application writes to go into ReadWritePaths= or StateDirectory=.
NoNewPrivileges=yes
CapabilityBoundingSet={capabilities}
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask={umask}
"""


def files(plan: Plan, site: Site) -> dict[str, str]:
    """File name in ``/etc/systemd/system`` -> unit.

    Raises:
        ConfigurationError: see `render`.
    """
    units = {f"{site.name}.service": _service(plan, site)}
    if _has_socket(site):
        units[f"{site.name}.socket"] = socket_unit(plan, site, _described(site))
    return units


def render(plan: Plan, site: Site) -> str:
    """All units, each below its path, as `systemctl cat` prints them.

    Raises:
        ConfigurationError: there are several private keys, and no account that could read them.
    """
    return "\n".join(f"# /etc/systemd/system/{name}\n{text}" for name, text in files(plan, site).items())


def _has_socket(site: Site) -> bool:
    """Whether systemd opens the server's socket; a server with HTTP/3 opens its own, since it needs UDP too."""
    if site.form == "tls":
        return "3" not in load(site.server).facts.http
    stock = load(_server(site)).stock
    return stock is not None and stock.takes_sockets


def _server(site: Site) -> str:
    return RUNS.get(site.form, site.server)


def _head(plan: Plan, site: Site) -> str:
    units = f"{site.name}.service" + (f" and {site.name}.socket" if _has_socket(site) else "")
    unit = f"{site.name}.socket" if _has_socket(site) else f"{site.name}.service"
    how = "over HTTPS" if site.form == "tls" else "behind a front that ends TLS"
    paragraphs = [
        f"{site.app} {how}, under {_server(site)}.",
        *site.origin,
        f"Save {units} in /etc/systemd/system (-o FOLDER writes them there). Then:",
        f"    systemctl daemon-reload && systemctl enable --now {unit}",
    ]
    if site.form == "tls":
        paragraphs.append(
            "systemd reads certificate and key at the start, as root, and the service sees a copy. So a renewed one "
            f"takes a restart: certbot renew --deploy-hook 'systemctl restart {site.name}.service'"
            + (". The socket stays open meanwhile: connections wait, none is refused." if _has_socket(site) else "")
        )
        paragraphs.append(
            f"New code and settings: systemctl reload {site.name}.service. What fails to load leaves the old code "
            "serving; the journal says why."
        )
    elif site.form == "http":
        paragraphs.append(
            "TLSRUN_PROXY says which front is believed on who the client is: nginx, apache, haproxy or caddy, each "
            "with the file that `tlsrun export` writes for it."
        )
    return comment(*paragraphs)


def _service(plan: Plan, site: Site) -> str:
    low = [port for port in _own_ports(plan, site) if port < 1024]
    capabilities = "CAP_NET_BIND_SERVICE" if low else ""
    socket = f"Requires={site.name}.socket\n" if _has_socket(site) else ""
    behind = "" if site.form == "tls" else "0007"
    lines = [
        _head(plan, site),
        "[Unit]",
        f"Description={_described(site)}" + (" over HTTPS" if site.form == "tls" else ""),
        f"{socket}Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        *_notifying(site),
        *_account(plan, site),
        f"WorkingDirectory={site.folder}",
        *_start(plan, site),
        "ExecReload=/bin/kill -HUP $MAINPID",
        "# To the server alone: it finishes what its workers are at.",
        "KillMode=mixed",
        *_stopping(site),
        "TimeoutStopSec=60",
        "Restart=on-failure",
        "RestartSec=1",
        *([f"AmbientCapabilities={capabilities}"] if low else []),
        *([f"RuntimeDirectory={site.name}"] if site.form != "tls" and not _has_socket(site) else []),
        "",
        _HARDENING.format(capabilities=capabilities, umask=behind or "0077"),
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


def _described(site: Site) -> str:
    return specifiers(" ".join(site.app.split()))


def _account(plan: Plan, site: Site) -> list[str]:
    if plan.account is None:
        return ["DynamicUser=yes"]
    group = site.said.get("group")
    return [f"User={plan.account.user}", *([f"Group={group}"] if group else [])]


def _notifying(site: Site) -> Iterator[str]:
    """How systemd learns that the service is ready, and that it is still alive."""
    if site.form != "tls":
        stock = load(_server(site)).stock
        yield f"Type={'notify' if stock is not None and stock.notifies else 'exec'}"
        return
    yield "Type=notify"
    server = load(site.server)
    if server.notifies_by_child:
        title = server.facts.title
        yield f"# The master is {title}'s own; another process of it tells systemd that it serves, and still lives."
        yield "NotifyAccess=all"
    yield "WatchdogSec=120"


def _stopping(site: Site) -> Iterator[str]:
    if site.form == "tls" and (server := load(site.server)).misses_sigterm:
        yield f"# It stops by SIGTERM too, which {server.facts.title} ignores for a moment at its start."
        yield "KillSignal=SIGINT"


def _own_ports(plan: Plan, site: Site) -> Iterator[int]:
    """The ports that the service itself binds."""
    if site.form == "tls":
        if not _has_socket(site):
            yield from (one.place.port for one in plan.listeners if isinstance(one.place, Endpoint))
        if plan.redirect_port is not None:
            yield plan.redirect_port


def _start(plan: Plan, site: Site) -> Iterator[str]:
    if site.form == "tls":
        yield from _tls(plan, site)
        return
    words = serving.command_of(plan, site, protocol=site.form)
    proxy = None if site.form == "uwsgi" else (site.proxy or ("nginx",))[0]
    for variable in serving.variables(plan, site, proxy, carried=True):
        yield f"Environment={unit(variable)}"
    yield f"ExecStart={' '.join(map(unit_word, words))}"


def _tls(plan: Plan, site: Site) -> Iterator[str]:
    """TLS in the service. `%d` is the folder of its credentials (systemd 250 and later), which no other can read."""
    if plan.sni and plan.account is None:
        raise ConfigurationError.of(
            where="sni",
            what="the service runs as an account of its own, which cannot read more keys",
            remedy="Name an account that can (--user), or end TLS in a front (tlsrun export)",
        )
    yield "# Read by root, seen by this service alone."
    yield f"LoadCredential=fullchain.pem:{specifiers(path_of(plan.sources.cert))}"
    yield f"LoadCredential=privkey.pem:{specifiers(key_path(plan.sources))}"
    password = site.said.get("key_password_file")
    if password is not None:
        yield f"LoadCredential=key-password:{specifiers(os.path.abspath(password))}"
    place: dict[str, str | None] = {}
    if site.bind:
        # This overrides the application's own configuration: systemd listens.
        place = {"host": None, "port": None, "bind": "systemd" if _has_socket(site) else ",".join(site.bind)}
    said = serving.settings(
        plan,
        site,
        **place,
        cert="%d/fullchain.pem",
        key="%d/privkey.pem",
        user=None,
        group=None,
        key_password_file=None if password is None else "%d/key-password",
    )
    for name, value in said.items():
        yield f"Environment={unit(f'{name}={value}', with_specifiers=name in _CREDENTIALS)}"
    words = [f"{site.environment}/bin/tlsrun", "run", *after_options(site.app)]
    yield f"ExecStart={' '.join(map(unit_word, words))}"
