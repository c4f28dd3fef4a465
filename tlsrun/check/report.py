"""The result of a check: the findings, what was examined, and the grade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tlsrun import __version__
from tlsrun.check.code import Severity
from tlsrun.check.finding import Finding
from tlsrun.check.grade import Grade
from tlsrun.check.live.target import ProbeTarget
from tlsrun.deciding.facts import ServerFacts
from tlsrun.settings.layers import Resolution
from tlsrun.settings.reference import shown
from tlsrun.settings.table import SPECS


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of a check.

    Arguments:
        findings: in the order of `in_order`.
        target: the running server; None if no address is known.
        resolution: the settings; None if only a running server was examined.
        application: its name for a server; None if there is none, or it cannot be imported.
        server: the server that is chosen.
        grade: None if there is nothing to grade.
    """

    findings: Sequence[Finding]
    target: ProbeTarget | None = None
    resolution: Resolution | None = None
    application: str | None = None
    server: ServerFacts | None = None
    grade: Grade | None = None

    def count(self, severity: Severity) -> int:
        """The number of findings of this severity."""
        return sum(one.severity is severity for one in self.findings)

    def exit_code(self, *, strict: bool) -> int:
        """2 with errors, 1 with warnings if ``strict``, otherwise 0."""
        if self.count(Severity.ERROR):
            return 2
        return 1 if strict and self.count(Severity.WARNING) else 0

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """Each setting: its value in readable form, and who set it (None for the default)."""
        if self.resolution is None:
            return {}
        origins, settings = self.resolution.origins, self.resolution.settings
        return {
            name: {
                "value": shown(name, getattr(settings, name)),
                "origin": f"{origins[name].layer}: {origins[name].spelling}" if name in origins else None,
            }
            for name in SPECS
        }

    def as_json(self, *, strict: bool) -> dict[str, Any]:
        """The report as a JSON object. Later versions may add keys and remove none."""
        return {
            "tlsrun": __version__,
            "application": self.application,
            "server": None if self.server is None else {"name": self.server.name, "version": self.server.version},
            "url": None if self.target is None else self.target.url,
            "settings": self.settings,
            "findings": [one.as_json() for one in self.findings],
            "counts": {severity.value: self.count(severity) for severity in Severity},
            "grade": None if self.grade is None else self.grade.as_json(),
            "exit_code": self.exit_code(strict=strict),
        }
