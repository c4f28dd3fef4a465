"""What is set for the application's side and a front's file does not honour: said in the file, and as a warning."""

from __future__ import annotations

from collections.abc import Iterator

from tlsrun.errors import Problem
from tlsrun.export.site import Site
from tlsrun.settings.layers import Resolution

#: The programs that stand in front of an application.
FRONTS = frozenset(("nginx", "apache", "haproxy", "caddy"))


def notes(target: str, resolution: Resolution, site: Site) -> Iterator[Problem]:
    """A line for each such setting.

    Arguments:
        target: whose file is written.
        resolution: what is set.
    """
    if target not in FRONTS:
        return
    settings = resolution.settings
    if settings.redirect_exempt and settings.redirect_port is not None:
        yield Problem(
            where=resolution.spelling("redirect_exempt"),
            what="the file sends these paths to https too",
            remedy="Have health checks ask over https, or add the paths to its part for plain HTTP",
        )
    # On the application's side they name this very front, and the file's comment has them.
    others = sorted(set(settings.trusted_proxies) - {site.trusted, "unix", "127.0.0.1", "::1"})
    if others and not settings.proxy_protocol:
        yield Problem(
            where=f"{resolution.spelling('trusted_proxies')} {' '.join(others)}",
            what="the file takes whoever connects to this front for the client, and tells the application so",
            remedy="Leave it out, or where they stand in front and speak the PROXY protocol, set proxy_protocol",
        )
    strangers = [word for word in settings.proxy if word != target]
    if strangers and target not in settings.proxy:
        yield Problem(
            where=f"{resolution.spelling('proxy')} {','.join(strangers)}",
            what=f"the application's side of this file is told {target}",
            remedy=f"Set it to {target} there",
        )
