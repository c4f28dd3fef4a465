"""What an exported file says besides the plan: the application's name, folders, sockets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tlsrun.certificates.identity import IdentitySources
from tlsrun.deciding.plan import Plan
from tlsrun.settings.words import USUAL

#: Threads of each worker process where nothing is set, as under `tlsrun run`.
THREADS = 4


@dataclass(frozen=True, kw_only=True)
class Site:
    """One application on one machine.

    Arguments:
        app: the application, as `tlsrun run` takes it (``hello:app``).
        name: of sockets, units and upstreams (``hello``).
        folder: the project's; the application is started there.
        environment: the virtual environment's folder.
        server: which server runs the application: ``gunicorn``, ``uwsgi`` or ``granian``.
        version: of the front, where it matters and is known.
        form: which form of the file (``ExportTarget.forms``); empty where there is one only.
        socket: where the application listens: the path of a Unix socket, or ``host:port``.
        machines: ``host:port`` of the machines that TLS is passed through to.
        proxy_protocol_peers: the proxies that speak the PROXY protocol (addresses, networks); empty where none does.
        has_certificate: whether files of a certificate are named; else whoever ends TLS brings its own.
        certificates: the folder of HAProxy's own certificate files.
        peers: the setting ``trusted_proxies``.
        proxy: the setting ``proxy``: which front it is, where the file is not that front's own.
        bind: the setting ``bind``.
        carried: the settings that the command line and the environment give, as TLSRUN_* variables hold them.
        said: all settings that somebody gave, so.
        command: the command line that this file was made by.
        written: the path that it is written to, as somebody gave it; empty for standard output.
        notes: what is set, and the file cannot say; for its first lines.
        unlisted: see `tlsrun.export.lists`.
    """

    app: str
    name: str
    folder: Path
    environment: Path
    server: str = USUAL
    version: tuple[int, ...] | None = None
    form: str = ""
    socket: str = ""
    machines: tuple[str, ...] = ()
    proxy_protocol_peers: tuple[str, ...] = ()
    has_certificate: bool = True
    certificates: str = "/etc/haproxy/certs"
    peers: tuple[str, ...] = ()
    proxy: tuple[str, ...] = ()
    bind: tuple[str, ...] = ()
    carried: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)
    command: str = "tlsrun export"
    written: str = ""
    notes: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()

    @property
    def origin(self) -> tuple[str, ...]:
        """Paragraphs for the comment on top: what the file was made by, and what it cannot say."""
        return (f"Written by: {self.command}", *self.notes)

    @property
    def is_unix(self) -> bool:
        """Whether the application listens on a Unix socket."""
        return self.socket.startswith("/")

    def file(self, usual: str) -> str:
        """The file's own path, for the commands in its comment.

        Arguments:
            usual: what it is called where nobody says.
        """
        return self.written or usual

    @property
    def trusted(self) -> str:
        """The value of ``trusted_proxies`` on the application's side: who may say who the client is."""
        return "unix" if self.is_unix else self.socket.rpartition(":")[0].strip("[]")


def server_names(plan: Plan) -> tuple[str, ...]:
    """The names that the default certificate is served for: those that are set, else those in the certificate."""
    return plan.hosts or plan.identity.names


def by_certificate(plan: Plan) -> dict[tuple[IdentitySources, ...], list[str]]:
    """The names that SNI chooses by, together where they share their certificates."""
    found: dict[tuple[IdentitySources, ...], list[str]] = {}
    for name, sources in plan.sni.items():
        found.setdefault(tuple(sources), []).append(name)
    return found


def addresses(plan: Plan) -> tuple[str, ...]:
    """The addresses to listen on, an IPv6 address in brackets; for the wildcard ``::`` both families."""
    host = plan.endpoint.host
    if host in ("", "::"):
        return ("0.0.0.0", "[::]")  # noqa: S104 -- text of a file
    return (f"[{host}]" if ":" in host else host,)


def origin_port(port: int) -> str:
    """A port as it stands in a URL: 443 is not written."""
    return "" if port == 443 else f":{port}"


def sockets(plan: Plan) -> tuple[str, ...]:
    """The same for servers whose socket for ``[::]`` takes IPv4 too, as Python's do: one for IPv4 beside it fails."""
    found = addresses(plan)
    return found[1:] if len(found) > 1 else found
