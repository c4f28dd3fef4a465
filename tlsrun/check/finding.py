"""A finding: one observation under its code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tlsrun.check.code import Area, Code, Severity
from tlsrun.check.codes import BY_SLUG, CODES
from tlsrun.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One observation.

    Arguments:
        code: the kind of finding.
        where: what was given and by whom, or the address that was asked.
        what: what was observed there.
        remedy: the line or command that fixes it.
        severity: the kind's default, unless it matters more or less here.
    """

    code: Code
    where: str
    what: str
    remedy: str
    severity: Severity

    def as_json(self) -> dict[str, Any]:
        """The finding as a JSON object."""
        return {
            "code": self.code.code,
            "slug": self.code.slug,
            "severity": self.severity.value,
            "phase": self.code.phase.value,
            "title": self.code.title,
            "where": self.where,
            "what": self.what,
            "why": self.code.why,
            "remedy": self.remedy,
        }


def found(slug: str, where: str, what: str, remedy: str | None = None, *, severity: Severity | None = None) -> Finding:
    """A finding of the kind ``slug``.

    Arguments:
        remedy: how to fix this one; None for the kind's own text.
        severity: None for the kind's default.
    """
    code = BY_SLUG[slug]
    return Finding(code=code, where=where, what=what, remedy=remedy or code.remedy, severity=severity or code.severity)


def from_problem(problem: Problem, otherwise: str, *, severity: Severity | None = None) -> Finding:
    """A problem as a finding.

    Arguments:
        otherwise: the slug to use if the problem has no code.
        severity: None for the kind's default.
    """
    code = CODES.get(problem.code or "", BY_SLUG[otherwise])
    return Finding(
        code=code,
        where=problem.where,
        what=problem.what,
        remedy=problem.remedy,
        severity=severity or code.severity,
    )


def from_problems(problems: Iterable[Problem], otherwise: str, *, severity: Severity | None = None) -> list[Finding]:
    """Several problems as findings; see `from_problem`."""
    return [from_problem(problem, otherwise, severity=severity) for problem in problems]


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Without duplicates, by area, then by severity (the worst first), then by code."""
    phases = list(Area)
    return sorted(
        dict.fromkeys(findings),
        key=lambda one: (phases.index(one.code.phase), one.severity.rank, one.code.code),
    )
