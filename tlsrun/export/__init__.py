"""The plan as somebody else's configuration file: one module for each target, imported when it is asked for.

A target's module decides nothing and reads nothing: `render` is a function of the plan and of the site. What a target
cannot express stands in its MAPPING, and is an error before a line is written.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

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


#: Of a front, which most targets are.
_DEFAULTS = {"host": "::", "port": 443, "redirect_port": 80}


@dataclass(frozen=True, kw_only=True)
class ExportTarget:
    """What each module of this package offers, under these names in capitals where it is not the default.

    Arguments:
        title: as people write it, with what the file is of.
        mapping: for each setting whether the file can say it, in its first form.
        render: makes the file. Raises ConfigurationError for what such a file cannot say.
        files: makes several, by name, where the target has several.
        forms: what ``--upstream`` chooses between, the default first, each in a few words; empty where there is
            nothing to choose.
        defaults: settings that have another default in such a file.
        http: the HTTP versions that it can speak, the newest first.
        needs_certificate: the forms that name the certificate's files; None for all.
        runs: form -> the server that the file is of, or that its application's side is told to be.
        by_form: form -> the cells that differ from ``mapping`` there.
        http_by_form: form -> its HTTP.
        http_limits: HTTP version -> the settings that it cannot honour, as `ServerFacts.http_limits` has them.
    """

    title: str
    mapping: Mapping[str, Cell]
    render: Callable[[Plan, Site], str]
    files: Callable[[Plan, Site], dict[str, str]] | None = None
    forms: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=_DEFAULTS.copy)
    http: tuple[str, ...] = ("3", "2", "1.1")
    needs_certificate: frozenset[str] | None = None
    runs: Mapping[str, str] = field(default_factory=dict)
    by_form: Mapping[str, Mapping[str, Cell]] = field(default_factory=dict)
    http_by_form: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    http_limits: Mapping[str, Mapping[str, Unsupported]] = field(default_factory=dict)

    def names_files(self, form: str) -> bool:
        """Whether the file, in this form, names those of the certificate."""
        return self.needs_certificate is None or form in self.needs_certificate


def load(name: str) -> ExportTarget:
    """The target called ``name``."""
    module = vars(importlib.import_module(f"tlsrun.export.{name.replace('-', '_')}"))
    spelled = {
        one.name: one.name if one.name in ("render", "files") else one.name.upper() for one in fields(ExportTarget)
    }
    return ExportTarget(**{name: module[word] for name, word in spelled.items() if word in module})


def mapping_of(name: str, form: str) -> Mapping[str, Cell]:
    """For each setting whether the target's file can say it in this form."""
    target = load(name)
    return {**target.mapping, **target.by_form.get(form, {})}


def facts_of(name: str, form: str = "") -> ServerFacts:
    """What is known of the target, as of a server: it is always there.

    Arguments:
        form: of its file; empty for the first.
    """
    target = load(name)
    return ServerFacts(
        name=name,
        title=target.title,
        mapping=mapping_of(name, form),
        http=target.http_by_form.get(form, target.http),
        http_limits=target.http_limits,
    )
