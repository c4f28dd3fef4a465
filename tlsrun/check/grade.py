"""A grade like that of SSL Labs, with the rule that caps it.

The rules are from its rating guide (https://github.com/ssllabs/research/wiki/SSL-Server-Rating-Guide), as far as they
still matter. Bugs in old TLS libraries, revocation and the root stores of other systems are not examined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tlsrun.certificates.strength import is_weak_key, weak_signature
from tlsrun.check.grade_input import GradeInput
from tlsrun.check.live.judge import LONG_ENOUGH
from tlsrun.check.mozilla import mozilla_profile

LETTERS = ("A+", "A", "A-", "B", "C", "F")


@dataclass(frozen=True, kw_only=True)
class Grade:
    """A grade.

    Arguments:
        letter: ``A+`` to ``F``, ``T`` (not trusted) or ``M`` (name mismatch).
        rule: what keeps it from being better; None if nothing does.
        otherwise: with ``T`` and ``M`` the letter without that fault.
        mozilla: the profile of Mozilla's guideline that is met, or why none is.
        live: whether a running server was examined, not only settings.
    """

    letter: str
    rule: str | None
    otherwise: str | None
    mozilla: str
    live: bool

    @property
    def words(self) -> str:
        """The grade in one sentence."""
        basis = "" if self.live else " by its configuration, for nothing runs that could be asked"
        rule = f", capped because {self.rule}" if self.rule else ""
        otherwise = f"; {self.otherwise} but for that" if self.otherwise else ""
        return f"{self.letter}{basis}{rule}{otherwise}. Mozilla's profile {self.mozilla}."

    def as_json(self) -> dict[str, Any]:
        """The grade as a JSON object."""
        return {
            "letter": self.letter,
            "capped_because": self.rule,
            "otherwise": self.otherwise,
            "mozilla": self.mozilla,
            "measured": "live" if self.live else "settings",
        }


_Rule = Callable[[GradeInput], bool]

#: What breaks a rule, the best grade that remains, and the reason. Of rules with the same cap the first is named.
_CAPS: tuple[tuple[_Rule, str, str], ...] = (
    (lambda m: "no encryption or no authentication" in m.weak, "F", "it accepts suites that protect nothing"),
    (lambda m: bool(m.certificate and weak_signature(m.certificate)), "F", "a broken hash signs its certificate"),
    (lambda m: bool(m.versions.get("SSL 3.0")), "C", "it speaks SSL 3.0"),
    (lambda m: not _speaks_new(m), "C", "it does not speak TLS 1.2"),
    (lambda m: "RC4" in m.weak, "B", "it accepts RC4"),
    (lambda m: "3DES" in m.weak, "B", "it accepts 3DES"),
    (lambda m: bool(m.versions.get("TLS 1.0") or m.versions.get("TLS 1.1")), "B", "it speaks TLS 1.0 or 1.1"),
    (lambda m: m.complete is False, "B", "it sends an incomplete chain"),
    (lambda m: bool(m.certificate and is_weak_key(m.certificate)), "B", "its key is shorter than RSA 2048"),
    (lambda m: m.versions.get("TLS 1.3") is False, "A-", "it does not speak TLS 1.3"),
    (lambda m: m.hsts < LONG_ENOUGH, "A", "A+ takes Strict-Transport-Security for 180 days or more"),
)


def _speaks_new(given: GradeInput) -> bool:
    return any(given.versions.get(version, True) for version in ("TLS 1.2", "TLS 1.3"))


def grade(given: GradeInput) -> Grade:
    """The best letter that all rules allow."""
    letter, rule, otherwise = LETTERS[0], None, None
    for breaks, best, words in _CAPS:
        if LETTERS.index(best) > LETTERS.index(letter) and breaks(given):
            letter, rule = best, words
    if given.named is False:
        letter, rule, otherwise = "M", "the certificate is for another name", letter
    elif given.trusted is False:
        letter, rule, otherwise = "T", "the certificate is not trusted", letter
    return Grade(letter=letter, rule=rule, otherwise=otherwise, mozilla=mozilla_profile(given), live=given.live)
