"""The grade, and the rule that caps it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.examining import check
from tests.check.horrors import ISSUER_URL, leaf, written
from tests.support.certs import DAY, NOW, Authority, Pair
from tlsrun.check.grade import Grade, grade
from tlsrun.check.grade_input import GradeInput, grade_input_of_settings
from tlsrun.check.live.judge import max_age
from tlsrun.settings.table import Settings

GOOD = {"SSL 3.0": False, "TLS 1.0": False, "TLS 1.1": False, "TLS 1.2": True, "TLS 1.3": True}
YEARS = 63072000


@pytest.mark.parametrize(
    ("measured", "letter", "says"),
    [
        (GradeInput(live=True, versions=GOOD, hsts=YEARS, trusted=True, named=True, complete=True), "A+", None),
        (GradeInput(live=True, versions=GOOD, hsts=180 * 86400), "A+", None),
        (GradeInput(live=True, versions=GOOD, hsts=180 * 86400 - 1), "A", "180 days"),
        (GradeInput(live=True, versions={**GOOD, "TLS 1.3": False}, hsts=YEARS), "A-", "TLS 1.3"),
        (GradeInput(live=True, versions={**GOOD, "TLS 1.1": True}, hsts=YEARS), "B", "TLS 1.0 or 1.1"),
        (GradeInput(live=True, versions=GOOD, complete=False), "B", "incomplete"),
        (GradeInput(live=True, versions=GOOD, weak=frozenset(["3DES"])), "B", "3DES"),
        (GradeInput(live=True, versions=GOOD, weak=frozenset(["RC4", "3DES"])), "B", "RC4"),
        (GradeInput(live=True, versions={**GOOD, "SSL 3.0": True, "TLS 1.0": True}), "C", "SSL 3.0"),
        (GradeInput(live=True, versions={"TLS 1.1": True, "TLS 1.2": False, "TLS 1.3": False}), "C", "TLS 1.2"),
        (
            GradeInput(live=True, versions=GOOD, weak=frozenset(["no encryption or no authentication"])),
            "F",
            "nothing",
        ),
        (GradeInput(live=True, versions=GOOD, trusted=False), "T", "not trusted"),
        (GradeInput(live=True, versions=GOOD, trusted=False, named=False), "M", "another name"),
    ],
)
def test_caps(measured: GradeInput, letter: str, says: str | None) -> None:
    """Each rule of SSL Labs, and the words that name it."""
    given = grade(measured)
    assert given.letter == letter
    assert (given.rule is None) if says is None else (says in (given.rule or ""))


def test_what_it_would_be_with_trust() -> None:
    """T and M say the letter behind them."""
    given = grade(GradeInput(live=True, versions=GOOD, trusted=False, hsts=YEARS))
    assert given.otherwise == "A+"
    assert "A+ but for that" in given.words


def test_from_settings(ca: Authority) -> None:
    """Where nothing runs, what is configured is graded, and the line says so."""
    given = graded(Settings(hsts=YEARS))
    assert (given.letter, given.live) == ("A+", False)
    assert "by its configuration" in given.words
    assert given.mozilla == "intermediate is met"
    modern = graded(Settings(profile="modern", hsts=YEARS))
    assert modern.mozilla == "modern is met"
    assert graded(Settings(max_version="1.2", hsts=YEARS)).letter == "A-"


def graded(settings: Settings) -> Grade:
    """The grade of settings without a fault."""
    measured = grade_input_of_settings(settings, None)
    assert measured is not None
    return grade(measured)


def test_what_is_wrong_with_the_files_counts(ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """Before anything runs: a gap in the chain caps, nobody trusts an expired one, and a broken pair has no grade."""

    def letter(pair: Pair, **settings: str) -> str | None:
        paths = pair.write(tmp_path / "pair")
        given = {"cert": str(paths.fullchain), "key": str(paths.key), **settings}
        report = check(ca=ca_file, hsts=YEARS, **given)  # type: ignore[arg-type]
        return report.grade and report.grade.letter

    assert letter(ca.leaf()) == "A+"
    assert letter(ca.leaf(not_before=NOW - 9 * DAY, not_after=NOW - DAY)) == "T"
    assert letter(ca.leaf(san=False)) == "M"
    cert, key = leaf(ca, issuer_url=ISSUER_URL)
    assert letter(Pair(cert_pem=cert, chain_pem=b"", key_pem=key)) == "B"
    assert letter(ca.leaf(), key=str(written(tmp_path, "other.key", key))) is None
    assert letter(ca.leaf(), server="granian", ciphers="ECDHE+AESGCM") is None


def test_mozilla_names_what_is_missing(ca: Authority, tmp_path: Path) -> None:
    """Lifetime and HSTS besides versions and suites; other suites; old versions."""
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(leaf(ca, lifetime=400 * DAY)[0])
    assert "400 days" in grade(GradeInput(live=True, versions=GOOD, certificate=certificate)).mozilla
    assert "intermediate is not met" in grade(GradeInput(live=True, versions=GOOD, other=True)).mozilla
    assert "TLS 1.0" in grade(GradeInput(live=True, versions={**GOOD, "TLS 1.0": True})).mozilla
    assert grade(GradeInput(live=True)).mozilla == "is not known"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("max-age=31536000", 31536000),
        ('includeSubDomains; Max-Age="600" ; preload', 600),
        ("max-age=soon", 0),
    ],
)
def test_max_age(header: str | None, seconds: int) -> None:
    """The header as RFC 6797, section 6.1, has it."""
    assert max_age(header) == seconds
