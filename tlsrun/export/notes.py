"""Settings that the file leaves out: a line in its comment and a warning for each."""

from __future__ import annotations

from collections.abc import Iterator

from tlsrun import export
from tlsrun.errors import Problem
from tlsrun.export.cells import LeftOut
from tlsrun.export.site import Site
from tlsrun.settings.layers import Resolution
from tlsrun.settings.table import SPECS, environment_variable
from tlsrun.settings.words import AUTO

#: Targets that are reverse proxies.
FRONTS = frozenset(("nginx", "apache", "haproxy", "caddy"))


def notes(target: str, resolution: Resolution, site: Site) -> Iterator[Problem]:
    """A warning for each such setting.

    Arguments:
        target: the target of the export.
        resolution: the settings.
    """
    yield from _asides(target, resolution, site)
    yield from _server(target, resolution, site)
    if target in FRONTS and site.form != "tls":
        yield from _of_a_front(target, resolution, site)


def _asides(target: str, resolution: Resolution, site: Site) -> Iterator[Problem]:
    mapping = export.mapping_of(target, site.form)
    for name, spec in SPECS.items():
        cell, value = mapping[name], getattr(resolution.settings, name)
        if not resolution.is_given(name):
            continue
        if isinstance(cell, LeftOut):
            if value not in cell.accepts:
                yield Problem(where=resolution.spelling(name), what=cell.how, remedy=cell.remedy)
        elif spec.secret and resolution.origins[name].layer in ("command line", "environment"):
            yield Problem(
                where=resolution.spelling(name),
                what="is a secret, and stands in no file",
                remedy=f"Give it to what the file starts, as {environment_variable(name)}, or use key_password_file",
            )


def _server(target: str, resolution: Resolution, site: Site) -> Iterator[Problem]:
    asked = resolution.settings.server
    runs = export.load(target).runs.get(site.form, site.server)
    if resolution.is_given("server") and asked not in (AUTO, runs):
        yield Problem(
            where=f"{resolution.spelling('server')} {asked}",
            what=f"the server of this file is {runs}",
            remedy="Leave it out",
        )


def _of_a_front(target: str, resolution: Resolution, site: Site) -> Iterator[Problem]:
    settings = resolution.settings
    if settings.redirect_exempt and settings.redirect_port is not None:
        yield Problem(
            where=resolution.spelling("redirect_exempt"),
            what="the file sends these paths to https too",
            remedy="Have health checks ask over https, or add the paths to its part for plain HTTP",
        )
    # For the application these addresses are this proxy itself; the file's comment has them.
    others = sorted(set(settings.trusted_proxies) - {site.trusted, "unix", "127.0.0.1", "::1"})
    if others and not settings.proxy_protocol:
        yield Problem(
            where=f"{resolution.spelling('trusted_proxies')} {' '.join(others)}",
            what="the file takes whoever connects to this front for the client, and tells the application so",
            remedy="Leave it out, or where they stand in front and speak the PROXY protocol, set proxy_protocol",
        )
    if settings.proxy_drops_underscores:
        yield Problem(
            where=resolution.spelling("proxy_drops_underscores"),
            what=f"the proxy of the application's side is {target}, as this file has it",
            remedy="Leave it out",
        )
    strangers = [word for word in settings.proxy if word != target]
    if strangers and target not in settings.proxy:
        yield Problem(
            where=f"{resolution.spelling('proxy')} {','.join(strangers)}",
            what=f"the application's side of this file is told {target}",
            remedy=f"Set it to {target} there",
        )
