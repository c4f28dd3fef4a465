"""The application's side: the command and the environment that start it behind a proxy, in a unit or a container."""

from __future__ import annotations

import shlex

from tlsrun.deciding.plan import Plan
from tlsrun.export.material import quoted
from tlsrun.export.site import THREADS, Site
from tlsrun.export.text import command
from tlsrun.servers import load
from tlsrun.servers.uwsgi.stock import over_uwsgi
from tlsrun.settings.proxies import PRESETS
from tlsrun.settings.table import environment_variable
from tlsrun.settings.words import USUAL

#: Seconds after which a proxy closes a client's idle connection.
KEEP_ALIVE = 65

#: Seconds for which a proxy keeps an idle connection to the application. The application's own timeout is longer, so
#: that it never closes a connection just as a request arrives.
REUSE = 20


def command_of(plan: Plan, site: Site, *, protocol: str) -> list[str]:
    """The command that starts the application.

    Arguments:
        protocol: ``uwsgi`` for uWSGI's own protocol, or ``http``.
    """
    stock = load(site.server).stock or load(USUAL).stock
    command = over_uwsgi if protocol == "uwsgi" or stock is None else stock.command
    return command(str(site.environment), site.socket, plan.workers, plan.threads or THREADS)


#: The settings that `tlsrun.entry` reads; the others concern the server.
_OF_THE_ENTRY = ("trusted_proxies", "proxy", "proxy_drops_underscores", "redirect_exempt", "hosts")


def variables(plan: Plan, site: Site, proxy: str | None = None, *, carried: bool = False) -> list[str]:
    """The environment for `command_of`.

    Arguments:
        proxy: the preset of the proxy whose headers are trusted; None if no header is needed.
        carried: whether the settings given on the command line are meant for the application, not for the proxy.
    """
    said = {"app": site.app}
    if carried:
        said |= {name: site.carried[name] for name in _OF_THE_ENTRY if name in site.carried}
    if proxy:
        said.setdefault("trusted_proxies", site.trusted)
        said["proxy"] = _preset(plan, proxy)
        exported = proxy in PRESETS and PRESETS[proxy].drops_underscores == "exported"
        if exported and load(site.server).facts.mixes_up_underscores:
            said["proxy_drops_underscores"] = "yes"
    if plan.hsts:
        said["hsts"] = str(plan.hsts)
    return [f"{environment_variable(name)}={value}" for name, value in said.items()]


def _preset(plan: Plan, proxy: str) -> str:
    """The value of the setting ``proxy``; headers about client certificates are trusted only if some are requested."""
    words = (proxy, *(PRESETS[proxy].certificates if plan.clients is not None and proxy in PRESETS else ()))
    return ",".join(words)


def _as_service(site: Site, proxy: str | None) -> str:
    """How to run the application as a service, as a paragraph of a comment.

    Arguments:
        proxy: see `variables`.
    """
    words = ["--upstream", "http" if proxy else "uwsgi", "--socket", site.socket]
    if proxy:
        words += ["--trusted-proxies", site.trusted, "--proxy", proxy]
    return "As a service, with that socket and its rights: tlsrun export systemd " + shlex.join([site.app, *words])


def settings(plan: Plan, site: Site, **ours: object) -> dict[str, str]:
    """The environment for `tlsrun run`: what the file decides and what was given here. `tlsrun run` reads the
    application's own configuration itself.

    Arguments:
        ours: settings by name that win over what was given; None or an empty value drops the setting.
    """
    decided = {
        "server": site.server,
        "host": plan.endpoint.host,
        "port": plan.endpoint.port,
        "workers": plan.workers,
    }
    said: dict[str, object] = {**site.carried, **decided, **ours}
    return {environment_variable(name): str(value) for name, value in said.items() if value not in (None, "", ())}


def clients(plan: Plan, site: Site, ca: str, crl: str) -> dict[str, str | None]:
    """``client_ca`` and ``client_crl`` for `settings`: the paths of the files, or the text that was given instead.

    Arguments:
        ca: the path of the CA file, for the program that reads it.
        crl: the path of the revocation lists.
    """
    if plan.clients is None:
        return {"client_ca": None, "client_crl": None}
    lists = plan.clients.crl
    return {
        "client_ca": site.said.get("client_ca") if plan.clients.ca.path is None else ca,
        "client_crl": None if lists is None else site.said.get("client_crl") if lists.path is None else crl,
    }


def side(plan: Plan, site: Site, title: str, *, proxy: str, protocol: str = "http") -> tuple[str, ...]:
    """How to start the application behind a proxy, as paragraphs of a comment.

    Arguments:
        title: the proxy's name in prose.
        proxy: see `variables`.
        protocol: see `command_of`.
    """
    believed = proxy if protocol == "http" else None
    words = command_of(plan, site, protocol=protocol)
    return (
        f"The application's side. {title}'s account must be able to connect to {site.socket}:",
        f"    cd {quoted(str(site.folder))}\n" + command(words, variables(plan, site, believed)),
        _as_service(site, believed),
    )
