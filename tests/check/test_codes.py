"""The table of findings: whole, well formed, in use, and every code shown by a test."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import ROOT
from tlsrun.check.code import Area, Code, Severity
from tlsrun.check.codes import BY_SLUG, CODES
from tlsrun.check.finding import found, from_problem, in_order
from tlsrun.check.reference import pages
from tlsrun.errors import Problem

every = pytest.mark.parametrize("code", CODES.values(), ids=CODES.keys())


@every
def test_a_code_is_well_formed(code: Code) -> None:
    """A digit for its phase, a slug of its own, and whole sentences."""
    assert re.fullmatch(r"TLS[1-5]\d\d", code.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code.slug)
    assert code.phase.digit == code.code[3]
    assert not code.title.endswith(".")
    assert code.why.endswith((".", '"'))
    assert code.remedy.endswith((".", "`", '"'))


def test_no_code_is_given_twice() -> None:
    """Neither number nor name."""
    declared = [
        one for path in sources("tlsrun/check/codes") for one in re.findall(r'"(TLS\d{3})",\s*"', path.read_text())
    ]
    assert len(declared) == len(set(declared)) == len(CODES) == len(BY_SLUG)
    assert list(CODES) == sorted(CODES)


def sources(below: str) -> Iterator[Path]:
    """The Python files of a folder."""
    return iter(sorted((ROOT / below).rglob("*.py")))


def test_every_code_that_a_problem_carries_is_declared() -> None:
    """In the whole source."""
    used = {code for path in sources("tlsrun") for code in re.findall(r'"(TLS\d{3})"', path.read_text())}
    assert used <= set(CODES)


def test_every_slug_that_is_found_is_declared() -> None:
    """The first argument of `found()` names an entry of the table."""
    named = {
        node.args[0].value
        for path in sources("tlsrun/check")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "found"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert named <= set(BY_SLUG)
    assert len(named) > 40


@every
def test_every_code_has_a_test_that_shows_it(code: Code) -> None:
    """Its number stands in a test of this folder, as what a real file or server was found to have."""
    tests = [path for path in sources("tests/check") if path.name != "test_codes.py"]
    assert any(f'"{code.code}"' in path.read_text() for path in tests)


def test_the_reference_in_docs_is_the_generated_one() -> None:
    """A page for each code and one that lists them, from the table that messages are made of."""
    folder = ROOT / "docs/reference/findings"
    found_there = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    regenerate = (
        "for code in $(tlsrun check --list | grep -o 'TLS[0-9]*.md'); do tlsrun check --explain ${code%.md} "
        "> docs/reference/findings/$code; done; tlsrun check --list > docs/reference/findings/README.md"
    )
    assert found_there == pages(), f"run: {regenerate}"


def test_a_problem_keeps_its_words() -> None:
    """Its code decides the kind; without one, whoever found it says what kind it is."""
    problem = Problem(where="--cert", what="is gone", remedy="Look", code="TLS101")
    finding = from_problem(problem, "der")
    assert (finding.code.slug, finding.where, finding.what, finding.remedy) == (
        "file-missing",
        "--cert",
        "is gone",
        "Look",
    )
    assert from_problem(Problem(where="", what="", remedy=""), "der").code.slug == "der"


def test_order() -> None:
    """By phase, then the worst first; the same thing is told once."""
    one, two, three = found("no-san", "a", "b"), found("expires-soon", "a", "b"), found("no-hsts", "a", "b")
    assert in_order([three, two, one, two]) == [one, two, three]
    assert [phase.digit for phase in Area] == ["1", "2", "3", "4", "5"]
    assert Severity.ERROR.rank < Severity.WARNING.rank < Severity.INFO.rank
