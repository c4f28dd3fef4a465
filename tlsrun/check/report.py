"""What a check has to say: the findings, what was looked at, and the grade."""

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
    """The outcome of a check.

    Arguments:
        findings: in order.
        target: the running server that was asked, or would have been; None for none.
        resolution: the settings; None when only a running server was looked at.
        application: as it is named to a server; None when there is none, or it cannot be imported.
        server: the one that is chosen.
        grade: None when there is nothing to grade.
    """

    findings: Sequence[Finding]
    target: ProbeTarget | None = None
    resolution: Resolution | None = None
    application: str | None = None
    server: ServerFacts | None = None
    grade: Grade | None = None

    def count(self, severity: Severity) -> int:
        """How many findings matter so much."""
        return sum(one.severity is severity for one in self.findings)

    def exit_code(self, *, strict: bool) -> int:
        """2 with an error, 1 with a warning when they count (``strict``), else 0."""
        if self.count(Severity.ERROR):
            return 2
        return 1 if strict and self.count(Severity.WARNING) else 0

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """Each setting: its value as a person reads it, and who set it (None for its default)."""
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
        """For machines. Keys are added in later versions, none is taken away."""
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
