"""What is declared of a finding: its code, and the words that messages, the list and the reference are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(str, Enum):
    """How much a finding matters, the worst first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


class Area(str, Enum):
    """Where a finding belongs, in the order in which things are looked at; by the first digit of its code."""

    FILES = "files"
    CONFIGURATION = "configuration"
    SERVER = "server"
    LIVE = "live"
    APPLICATION = "application"

    @property
    def digit(self) -> str:
        """The first digit of the codes of this phase."""
        return str(list(Area).index(self) + 1)


@dataclass(frozen=True, kw_only=True)
class Code:
    """One kind of finding. A code is never given to another kind, and never changes its meaning.

    Arguments:
        code: ``TLS`` and three digits.
        slug: a short name of lower-case words with hyphens.
        title: what it is, in one line without a stop.
        severity: how much it matters, where nothing says otherwise.
        why: why it matters, in sentences.
        remedy: what to do about it, in sentences.
    """

    code: str
    slug: str
    title: str
    severity: Severity
    why: str
    remedy: str

    @property
    def phase(self) -> Area:
        """Where it belongs."""
        return next(phase for phase in Area if phase.digit == self.code[3])


def error(code: str, slug: str, title: str, why: str, remedy: str) -> Code:
    """A finding that keeps people out, or lets others in."""
    return Code(code=code, slug=slug, title=title, severity=Severity.ERROR, why=why, remedy=remedy)


def warning(code: str, slug: str, title: str, why: str, remedy: str) -> Code:
    """A finding that will hurt some people, or all of them some day."""
    return Code(code=code, slug=slug, title=title, severity=Severity.WARNING, why=why, remedy=remedy)


def info(code: str, slug: str, title: str, why: str, remedy: str) -> Code:
    """What is good to know."""
    return Code(code=code, slug=slug, title=title, severity=Severity.INFO, why=why, remedy=remedy)
