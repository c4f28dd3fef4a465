"""Paths and names that a file cannot hold, since its program would read them as something else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tlsrun.deciding.plan import Plan
from tlsrun.errors import Problem
from tlsrun.export.quoting import holds, holds_path
from tlsrun.export.site import Site
from tlsrun.settings.layers import Resolution

#: Targets whose files contain folders and sockets without quotes.
_BARE = frozenset(("nginx", "apache", "haproxy", "caddy", "uwsgi-ini", "systemd", "compose"))
_PATH = re.compile(r"[\w./@+=~-]+")
_HOST = re.compile(r"(\*\.)?[\w.-]+|[0-9A-Fa-f:.]+")


def awkward(target: str, plan: Plan, site: Site, title: str, resolution: Resolution) -> Iterator[Problem]:
    """Names and paths that cannot be written into a file for ``target``.

    Arguments:
        title: the program's name in prose.
        resolution: the settings.
    """
    for host in plan.hosts:
        if not _HOST.fullmatch(host):
            yield Problem(where=f"hosts {host}", what="is no host name", remedy="Correct it, or leave it out")
    for what, path, kind in _named(target, plan, site, resolution):
        if not holds_path(target, path, kind):
            yield Problem(
                where=f"{what} {path}",
                what=f"cannot be written down for {title}",
                remedy="Choose another path, or make a link to it",
            )
    for what, path in _of_the_site(site):
        if (target in _BARE and not _PATH.fullmatch(path)) or not holds("nginx", path):
            yield Problem(
                where=f"{what} {path}",
                what=f"a file for {title} has such paths of letters, digits and . _ - + = @ ~ only",
                remedy="Choose another path, or make a link to it",
            )


def _named(target: str, plan: Plan, site: Site, resolution: Resolution) -> Iterator[tuple[str, str, str]]:
    """The files that the program itself opens: the setting, the path, and `holds_path`'s ``kind``."""
    if target in ("dockerfile", "procfile") or (target == "systemd" and site.form != "tls"):
        return
    sources = [plan.sources, *(one for several in plan.sni.values() for one in several)]
    if target == "systemd":
        password = resolution.settings.key_password_file
        if password is not None:
            yield resolution.spelling("key_password_file"), password, ""
    places = [place for one in sources for place in one.places]
    if target == "systemd":
        places = [plan.sources.cert, *([plan.sources.key] if plan.sources.key else [])]
    elif plan.clients is not None:
        places += filter(None, (plan.clients.ca, plan.clients.crl))
    for place in dict.fromkeys(places):
        if place.path is not None:
            yield place.given_by, str(place.path), site.form
    if plan.acme_webroot is not None and target != "systemd":
        yield resolution.spelling("acme_webroot"), str(plan.acme_webroot), "webroot"


def _of_the_site(site: Site) -> Iterator[tuple[str, str]]:
    if site.is_unix:
        yield "--socket", site.socket
    yield "--certificates", site.certificates
    yield "the working folder", str(site.folder)
    yield "the virtual environment", str(site.environment)
