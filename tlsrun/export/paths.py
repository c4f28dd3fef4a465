"""Paths and names that stand in a file as they are: refused where its program would read them as something else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tlsrun.errors import Problem
from tlsrun.export.site import Site
from tlsrun.plan import Plan

#: The targets whose files have paths of this machine without quotes that would hold for every character.
_BARE = frozenset(("nginx", "apache", "haproxy", "caddy", "uwsgi-ini", "systemd", "compose"))
_PATH = re.compile(r"[\w./@+=~-]+")
_HOST = re.compile(r"(\*\.)?[\w.-]+|[0-9A-Fa-f:.]+")


def awkward(target: str, plan: Plan, site: Site, title: str) -> Iterator[Problem]:
    """What cannot be written down for ``target``.

    Arguments:
        title: the program, as people write it.
    """
    for host in plan.hosts:
        if not _HOST.fullmatch(host):
            yield Problem(where=f"hosts {host}", what="is no host name", remedy="Correct it, or leave it out")
    if target not in _BARE:
        return
    for what, path in _paths(plan, site):
        if not _PATH.fullmatch(path):
            yield Problem(
                where=f"{what} {path}",
                what=f"a file for {title} has paths of letters, digits and . _ - + = @ ~ only",
                remedy="Choose another path, or make a link to it",
            )


def _paths(plan: Plan, site: Site) -> Iterator[tuple[str, str]]:
    sources = [plan.sources, *(one for several in plan.sni.values() for one in several)]
    for place in dict.fromkeys(place for one in sources for place in one.places):
        if place.path is not None:
            yield place.given_by, str(place.path)
    if plan.clients is not None:
        for source in filter(None, (plan.clients.ca, plan.clients.crl)):
            if source.path is not None:
                yield source.given_by, str(source.path)
    if plan.acme_webroot is not None:
        yield "acme_webroot", str(plan.acme_webroot)
    if site.is_unix:
        yield "--socket", site.socket
    yield "--certificates", site.certificates
    yield "the working folder", str(site.folder)
    yield "the virtual environment", str(site.environment)
