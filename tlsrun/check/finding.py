"""A finding: one thing seen, under its code; and all of them together, with the exit code they mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tlsrun.check.code import Area, Code, Severity
from tlsrun.check.codes import BY_SLUG, CODES
from tlsrun.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was seen.

    Arguments:
        code: what is declared of its kind.
        where: what was given and by whom, or the address that was asked.
        what: what was seen there.
        remedy: the line or command that mends it.
        severity: the kind's own, unless it matters more or less here.
    """

    code: Code
    where: str
    what: str
    remedy: str
    severity: Severity

    def as_json(self) -> dict[str, Any]:
        """For machines."""
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
        remedy: what mends it here; the kind's own when there is nothing nearer to say.
        severity: where it is not the kind's own.
    """
    code = BY_SLUG[slug]
    return Finding(code=code, where=where, what=what, remedy=remedy or code.remedy, severity=severity or code.severity)


def from_problem(problem: Problem, otherwise: str, *, severity: Severity | None = None) -> Finding:
    """A problem that somebody else found, as a finding.

    Arguments:
        otherwise: the slug of its kind, when the problem has no code.
        severity: where it is not the kind's own.
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
    """All of them; see `from_problem`."""
    return [from_problem(problem, otherwise, severity=severity) for problem in problems]


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Each once, by phase, the worst first, then by code."""
    phases = list(Area)
    return sorted(
        dict.fromkeys(findings),
        key=lambda one: (phases.index(one.code.phase), one.severity.rank, one.code.code),
    )
