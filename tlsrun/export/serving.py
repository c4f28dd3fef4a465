"""The application's side: the command that a front, a unit or a container starts the application by."""

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

#: Idle seconds after which a front lets a client's connection go.
KEEP_ALIVE = 65

#: Idle seconds for which a front keeps a connection to the application; the application waits longer, so that it never
#: closes one on which a request is on its way.
REUSE = 20


def command_of(plan: Plan, site: Site, *, protocol: str) -> list[str]:
    """The command that the application's side is started by.

    Arguments:
        protocol: ``uwsgi`` for uWSGI's own, or ``http``.
    """
    stock = load(site.server).stock or load(USUAL).stock
    command = over_uwsgi if protocol == "uwsgi" or stock is None else stock.command
    return command(str(site.environment), site.socket, plan.workers, plan.threads or THREADS)


#: What `tlsrun.entry` needs of the settings; all others are the server's own affair.
_OF_THE_ENTRY = ("trusted_proxies", "proxy", "proxy_drops_underscores", "redirect_exempt", "hosts")


def variables(plan: Plan, site: Site, proxy: str | None = None, *, carried: bool = False) -> list[str]:
    """The environment of such a command.

    Arguments:
        proxy: the preset of the front whose headers are believed; None where no header is needed.
        carried: whether what was given on the command line is about this side; else it is about the front.
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
    """What the setting ``proxy`` has to be; client certificates are believed where some are asked for only."""
    words = (proxy, *(PRESETS[proxy].certificates if plan.clients is not None and proxy in PRESETS else ()))
    return ",".join(words)


def _as_service(site: Site, proxy: str | None) -> str:
    """How the application's side becomes a service, as a paragraph of a comment.

    Arguments:
        proxy: see `variables`.
    """
    words = ["--upstream", "http" if proxy else "uwsgi", "--socket", site.socket]
    if proxy:
        words += ["--trusted-proxies", site.trusted, "--proxy", proxy]
    return "As a service, with that socket and its rights: tlsrun export systemd " + shlex.join([site.app, *words])


def settings(site: Site, **ours: object) -> dict[str, str]:
    """The environment of `tlsrun run`: what the file decides, and else what was given here; the application's own
    configuration it has itself.

    Arguments:
        ours: settings by name that win over what was given; None and nothing for those that have no value.
    """
    said: dict[str, object] = {**site.carried, **ours}
    return {environment_variable(name): str(value) for name, value in said.items() if value not in (None, "", ())}


def clients(plan: Plan, site: Site, ca: str, crl: str) -> dict[str, str | None]:
    """Who signs client certificates, for `settings`: the files, or what was given where it is no file.

    Arguments:
        ca, crl: where the files are.
    """
    if plan.clients is None:
        return {"client_ca": None, "client_crl": None}
    lists = plan.clients.crl
    return {
        "client_ca": site.said.get("client_ca") if plan.clients.ca.path is None else ca,
        "client_crl": None if lists is None else site.said.get("client_crl") if lists.path is None else crl,
    }


def side(plan: Plan, site: Site, title: str, *, proxy: str, protocol: str = "http") -> tuple[str, ...]:
    """The application's side of a front, as paragraphs of a comment.

    Arguments:
        title: the front, as people write it.
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
