"""Goals against a run's data."""

from __future__ import annotations

import pytest

from benchmarks.goals import GOALS, Goal
from tests.benchmarks.data import data


def _goal(words: str) -> Goal:
    (found,) = [goal for goal in GOALS if goal.words.startswith(words)]
    return found


@pytest.mark.parametrize(
    ("words", "median", "met"),
    [
        ("gunicorn ÷ bare, threads: new connections, ECDSA", 1.7, True),
        ("gunicorn ÷ bare, threads: kept-alive", 1.0, True),  # as printed, 1.00: it is 0.998
        ("WSGI wrapper, no TLS", 2.0, True),
        ("WSGI wrapper, all facts", 16.0, False),
        ("1000 certificates by SNI: memory", 29.3, True),
        ("1000 certificates by SNI: first", 2.0, True),
        ("1000 certificates by SNI ÷ 1", 0.96, True),
        ("`import flask_tlsrun`", 21.0, True),
        ("gunicorn: memory added", 0.95, True),
    ],
)
def test_goal(words: str, median: float, met: bool) -> None:
    """Each reads its own figure, in its own unit, and knows which way is better."""
    goal = _goal(words)
    found = goal.value(data())
    assert found is not None
    assert found.median == pytest.approx(median, rel=0.01)
    assert goal.met(found) is met


def test_what_was_not_measured() -> None:
    """A run of a part (``--only``) has no figure for the rest, and no error either."""
    assert all(goal.value({"comparisons": {}}) is None for goal in GOALS)


def test_nothing_is_met_by_nothing() -> None:
    """A server that answered no request has no ratio."""
    broken = data()
    broken["comparisons"]["gunicorn"]["series"]["bare"]["kept-8"] = [0.0, 0.0]
    assert _goal("gunicorn ÷ bare, threads: kept-alive").value(broken) is None
