"""The plan as somebody else's configuration file: one module for each target, imported when it is asked for.

A target's module decides nothing and reads nothing: `render` is a function of the plan and of the site. What a target
cannot express stands in its MAPPING, and is an error before a line is written.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol, cast

from tlsrun.deciding.choosing import ServerFacts
from tlsrun.deciding.plan import Plan
from tlsrun.export.site import Site
from tlsrun.settings.mapping import Cell, Unsupported

#: The targets, as they are spelled on the command line, in the order of the help.
TARGETS = (
    "nginx",
    "apache",
    "haproxy",
    "caddy",
    "uwsgi-ini",
    "gunicorn-conf",
    "hypercorn-toml",
    "systemd",
    "procfile",
    "dockerfile",
    "compose",
    "kubernetes",
)

#: What else people call them.
MEANT = {
    "heroku": "procfile", "dokku": "procfile", "docker": "dockerfile", "podman": "dockerfile",
    "containerfile": "dockerfile", "docker-compose": "compose", "k8s": "kubernetes", "kubectl": "kubernetes",
    "httpd": "apache", "apache2": "apache", "mod_wsgi": "apache", "caddyfile": "caddy",
    "service": "systemd",
}  # fmt: skip

#: Those that start `tlsrun run`, which mends certificates and chains itself.
SERVED_BY_US = frozenset(("systemd", "procfile", "dockerfile", "compose", "kubernetes"))

#: Those whose program runs somewhere else, with what its image brings.
ELSEWHERE = frozenset(("dockerfile", "compose", "kubernetes"))


def runs_tlsrun(target: str, form: str) -> bool:
    """Whether the file starts `tlsrun run`, rather than another program or a server by its own command."""
    return target in SERVED_BY_US and target != "procfile" and (target != "systemd" or form == "tls")


class Target(Protocol):
    """What each module of this package offers.

    Attributes:
        TITLE: as people write it, with what the file is of.
        FORMS: what ``--upstream`` chooses between, the default first, each in a few words; empty where there is
            nothing to choose.
        DEFAULTS: settings that have another default in such a file.
        MAPPING: for each setting whether the file can say it, in its first form.
        HTTP: the HTTP versions that it can speak, the newest first.
        NEEDS_CERTIFICATE: the forms that name the certificate's files.

    A module may also have RUNS: form -> the server that the file is of, or that its application's side is told to be;
    BY_FORM: form -> the cells that differ from MAPPING there; HTTP_BY_FORM: form -> its HTTP;
    and HTTP_LIMITS: HTTP version -> the settings that it cannot honour, as `ServerFacts.http_limits` has them.
    """

    TITLE: str
    FORMS: Mapping[str, str]
    DEFAULTS: Mapping[str, Any]
    MAPPING: Mapping[str, Cell]
    HTTP: tuple[str, ...]
    NEEDS_CERTIFICATE: frozenset[str]

    def render(self, plan: Plan, site: Site) -> str:
        """The file.

        Raises:
            ConfigurationError: the plan asks for what such a file cannot say.
        """


def load(name: str) -> Target:
    """The target called ``name``."""
    return cast(Target, importlib.import_module(f"tlsrun.export.{name.replace('-', '_')}"))


def mapping_of(name: str, form: str) -> Mapping[str, Cell]:
    """For each setting whether the target's file can say it in this form."""
    target = load(name)
    by_form: Mapping[str, Mapping[str, Cell]] = getattr(target, "BY_FORM", {})
    return {**target.MAPPING, **by_form.get(form, {})}


def facts_of(name: str, form: str = "") -> ServerFacts:
    """What is known of the target, as of a server: it is always there.

    Arguments:
        form: of its file; empty for the first.
    """
    target = load(name)
    http: Mapping[str, tuple[str, ...]] = getattr(target, "HTTP_BY_FORM", {})
    limits: Mapping[str, Mapping[str, Unsupported]] = getattr(target, "HTTP_LIMITS", {})
    return ServerFacts(
        name=name,
        title=target.TITLE,
        version=None,
        missing=None,
        mapping=mapping_of(name, form),
        http=http.get(form, target.HTTP),
        http_limits=limits,
    )
