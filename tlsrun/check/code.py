"""The declaration of a finding: its code, and the texts for messages, the list and the reference."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(str, Enum):
    """The severities, the worst first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """Position in the order of severity; 0 is the worst."""
        return list(Severity).index(self)


class Area(str, Enum):
    """What a finding is about, in the order of examination; the first digit of a code tells it."""

    FILES = "files"
    CONFIGURATION = "configuration"
    SERVER = "server"
    LIVE = "live"
    APPLICATION = "application"

    @property
    def digit(self) -> str:
        """The first digit of this area's codes."""
        return str(list(Area).index(self) + 1)


@dataclass(frozen=True, kw_only=True)
class Code:
    """One kind of finding. A code is never reused for another kind and never changes its meaning.

    Arguments:
        code: ``TLS`` and three digits.
        slug: a short name in lower case with hyphens.
        title: one line without a full stop.
        severity: the default severity.
        why: why it matters, in full sentences.
        remedy: how to fix it, in full sentences.
    """

    code: str
    slug: str
    title: str
    severity: Severity
    why: str
    remedy: str

    @property
    def phase(self) -> Area:
        """Its area, which `--json` calls the phase."""
        return next(phase for phase in Area if phase.digit == self.code[3])


def error(code: str, slug: str, title: str, why: str, remedy: str) -> Code:
    """A finding that locks users out or lets attackers in."""
    return Code(code=code, slug=slug, title=title, severity=Severity.ERROR, why=why, remedy=remedy)


def warning(code: str, slug: str, title: str, why: str, remedy: str) -> Code:
    """A finding that affects some users, or all of them at some time."""
    return Code(code=code, slug=slug, title=title, severity=Severity.WARNING, why=why, remedy=remedy)


def info(code: str, slug: str, title: str, why: str, remedy: str) -> Code:
    """A finding for information."""
    return Code(code=code, slug=slug, title=title, severity=Severity.INFO, why=why, remedy=remedy)
