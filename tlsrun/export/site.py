"""What an exported file needs besides the plan: the application's name, folders and sockets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tlsrun.certificates.identity import IdentitySources
from tlsrun.deciding.plan import Plan
from tlsrun.settings.words import USUAL

#: Default number of threads per worker process, as in `tlsrun run`.
THREADS = 4


@dataclass(frozen=True, kw_only=True)
class Site:
    """One application on one machine.

    Arguments:
        app: the application, as `tlsrun run` takes it (``hello:app``).
        name: the base name of sockets, units and upstreams (``hello``).
        folder: the project's folder, in which the application is started.
        environment: the virtual environment's folder.
        server: the server that runs the application: ``gunicorn``, ``uwsgi`` or ``granian``.
        version: the proxy's version, if it matters and is known.
        form: the form of the file, a key of ``ExportTarget.forms``; empty if there is only one.
        socket: where the application listens: the path of a Unix socket, or ``host:port``.
        machines: ``host:port`` of the machines to which TLS is passed through.
        proxy_protocol_peers: the addresses and networks that speak the PROXY protocol to this program.
        has_certificate: whether a certificate's files are named; otherwise whoever terminates TLS brings its own.
        certificates: the folder for HAProxy's own certificate files.
        peers: the setting ``trusted_proxies``.
        proxy: the setting ``proxy``.
        bind: the setting ``bind``.
        carried: the settings from the command line and the environment, as text for TLSRUN_* variables.
        said: the settings from every layer, in the same form.
        command: the command line that made this file.
        written: the path of the file as the user gave it; empty for standard output.
        notes: settings that the file cannot express, for the comment at its top.
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
        """Paragraphs for the comment at the top: the command that made the file, and what it cannot express."""
        return (f"Written by: {self.command}", *self.notes)

    @property
    def is_unix(self) -> bool:
        """Whether the application listens on a Unix socket."""
        return self.socket.startswith("/")

    def file(self, usual: str) -> str:
        """The file's own path, for the commands in its comment.

        Arguments:
            usual: its name if the user gave none.
        """
        return self.written or usual

    @property
    def trusted(self) -> str:
        """The value of ``trusted_proxies`` for the application: the proxy's address on the socket between them."""
        return "unix" if self.is_unix else self.socket.rpartition(":")[0].strip("[]")


def server_names(plan: Plan) -> tuple[str, ...]:
    """The names for the default certificate: the setting ``hosts``, or the names in the certificate."""
    return plan.hosts or plan.identity.names


def by_certificate(plan: Plan) -> dict[tuple[IdentitySources, ...], list[str]]:
    """The names of the setting ``sni``, grouped by the certificates that they share."""
    found: dict[tuple[IdentitySources, ...], list[str]] = {}
    for name, sources in plan.sni.items():
        found.setdefault(tuple(sources), []).append(name)
    return found


def addresses(plan: Plan) -> tuple[str, ...]:
    """The addresses to listen on, IPv6 in brackets; for the wildcard ``::`` one of each family."""
    host = plan.endpoint.host
    if host in ("", "::"):
        return ("0.0.0.0", "[::]")  # noqa: S104 -- text of a file
    return (f"[{host}]" if ":" in host else host,)


def origin_port(port: int) -> str:
    """``:port`` for an https URL; empty for 443."""
    return "" if port == 443 else f":{port}"


def sockets(plan: Plan) -> tuple[str, ...]:
    """As `addresses`, for servers whose ``[::]`` socket accepts IPv4 too, so that a second one would fail."""
    found = addresses(plan)
    return found[1:] if len(found) > 1 else found
