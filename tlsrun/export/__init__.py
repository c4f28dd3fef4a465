"""The plan as another program's configuration file: one module per target, imported on demand.

A target's module makes no decisions and reads no files: `render` is a function of the plan and the site. What a target
cannot express is declared in its MAPPING and reported before a line is written.
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

#: The targets as spelled on the command line, in the order of `--help`.
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

#: Other names that people try -> the target.
MEANT = {
    "heroku": "procfile", "dokku": "procfile", "docker": "dockerfile", "podman": "dockerfile",
    "containerfile": "dockerfile", "docker-compose": "compose", "k8s": "kubernetes", "kubectl": "kubernetes",
    "httpd": "apache", "apache2": "apache", "mod_wsgi": "apache", "caddyfile": "caddy",
    "service": "systemd",
}  # fmt: skip

#: Targets that start `tlsrun run`, which converts certificates and completes chains itself.
SERVED_BY_US = frozenset(("systemd", "procfile", "dockerfile", "compose", "kubernetes"))

#: Targets that run in a container, with what is installed in its image.
ELSEWHERE = frozenset(("dockerfile", "compose", "kubernetes"))


def runs_tlsrun(target: str, form: str) -> bool:
    """Whether the file starts `tlsrun run`, not another program or a server's own command."""
    return target in SERVED_BY_US and target != "procfile" and (target != "systemd" or form == "tls")


#: Defaults of a reverse proxy, which most targets are.
_DEFAULTS = {"host": "::", "port": 443, "redirect_port": 80}


@dataclass(frozen=True, kw_only=True)
class ExportTarget:
    """What a module of this package defines, in capitals except for the two functions; the defaults may be left out.

    Arguments:
        title: the program or file, as messages call it.
        mapping: setting -> whether the file can express it, in the default form.
        render: returns the file's text; raises ConfigurationError for what such a file cannot express.
        files: file name -> text, for a target that consists of several files.
        forms: the choices of ``--upstream``, the default first, each with a short description; empty if there is no
            choice.
        defaults: settings whose default differs for this target.
        http: the HTTP versions it supports, newest first.
        needs_certificate: the forms whose file names the certificate's files; None for all.
        runs: form -> the server that runs the application.
        by_form: form -> cells that override ``mapping``.
        http_limits: HTTP version -> the settings that it cannot honour, as in `ServerFacts.http_limits`.
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
    http_limits: Mapping[str, Mapping[str, Unsupported]] = field(default_factory=dict)

    def names_files(self, form: str) -> bool:
        """Whether the file names the certificate's files in this form."""
        return self.needs_certificate is None or form in self.needs_certificate


def load(name: str) -> ExportTarget:
    """The target called ``name``."""
    module = vars(importlib.import_module(f"tlsrun.export.{name.replace('-', '_')}"))
    spelled = {
        one.name: one.name if one.name in ("render", "files") else one.name.upper() for one in fields(ExportTarget)
    }
    return ExportTarget(**{name: module[word] for name, word in spelled.items() if word in module})


def mapping_of(name: str, form: str) -> Mapping[str, Cell]:
    """Setting -> whether the target's file can express it in this form."""
    target = load(name)
    return {**target.mapping, **target.by_form.get(form, {})}


def facts_of(name: str, form: str = "") -> ServerFacts:
    """The target's facts, in the form that servers have; a target always counts as installed.

    Arguments:
        form: the form of its file; empty for the default.
    """
    target = load(name)
    return ServerFacts(
        name=name,
        title=target.title,
        mapping=mapping_of(name, form),
        http=target.http,
        http_limits=target.http_limits,
    )
