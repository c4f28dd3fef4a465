"""What `.ci/run` takes of a matrix."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

from tests.support.process import ROOT, run
from tests.support.representatives import representatives

SERVERS = ["builtin", "gunicorn", "uwsgi", "granian", "hypercorn"]
MODES = ["script", "cli", "factory", "wsgi", "bottle", "package"]
CASES = [{"server": server, "mode": mode} for server, mode in itertools.product(SERVERS, MODES)]


def kept(
    *groups: str, cases: list[dict[str, object]] | None = None, number: int = 0, **more: str
) -> list[dict[str, object]]:
    """The parameters of those that are kept."""
    given = cases or [dict(case) for case in CASES]
    mark = pytest.mark.representatives(*groups, **more).mark
    return [given[one] for one in sorted(representatives(given, mark, turn=0.4, number=number))]


def test_each_value() -> None:
    """No more than it takes."""
    found = kept()
    assert len(found) == 6
    assert {one["server"] for one in found} == set(SERVERS)
    assert {one["mode"] for one in found} == set(MODES)


def test_each_value_of_some() -> None:
    """What is not named may be anything."""
    found = kept("server")
    assert sorted(str(one["server"]) for one in found) == sorted(SERVERS)


def test_pairs() -> None:
    """Two names in one word count together."""
    assert len(kept("server, mode")) == 30


def test_any_one() -> None:
    """The tests of a file take turns: after a few, each server had one."""
    found = [kept("", number=number) for number in range(10)]
    assert all(len(one) == 1 for one in found)
    assert {one[0]["server"] for one in found} == set(SERVERS)


def test_members_of_a_tuple() -> None:
    """A fixture that stands for two things: each of both comes up, but not each pair."""
    sites = [{"site": pair} for pair in itertools.product(("granian", "hypercorn"), ("flask", "bottle"))]
    found = kept(cases=[dict(one) for one in sites])
    assert len(found) == 2
    assert {name for one in found for name in tuple(one["site"])} == {"granian", "hypercorn", "flask", "bottle"}  # type: ignore[call-overload]


def test_what_is_shared() -> None:
    """All tests of a file take the same sites, and there all of their cases."""
    pairs = list(itertools.product(("granian", "hypercorn"), ("flask", "bottle")))
    plain = kept(cases=[{"site": pair} for pair in pairs], shared="site", number=1)
    cases: list[dict[str, object]] = [{"site": pair, "http": http} for pair in pairs for http in ("1.1", "2")]
    several = kept(cases=cases, shared="site", number=2)
    assert len(plain) == 2
    assert several == [case for case in cases if case["site"] in [one["site"] for one in plain]]


def test_marks(tmp_path: Path) -> None:
    """By `-m "not full"` pytest leaves out the others; without it, nothing."""
    (tmp_path / "conftest.py").write_text("from tests.support.representatives import pytest_collection_modifyitems\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  full: x\n  representatives: x\n")
    (tmp_path / "test_some.py").write_text(
        "import pytest\n\n\n@pytest.mark.representatives\n@pytest.mark.parametrize('a', [1, 2, 3])\n"
        "@pytest.mark.parametrize('b', [len, str])\ndef test_it(a, b):\n    pass\n\n\ndef test_other():\n    pass\n"
    )
    for words, number in (["-m", "not full"], 4), ([], 7):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
        done = run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
        assert f"{number} passed" in done.stdout, done.stdout + done.stderr
