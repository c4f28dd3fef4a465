"""How near its end a certificate is, and when that is said."""

from __future__ import annotations

import datetime

import pytest

from tlsrun.renewal.expiry import DAY, Life, Term, soon

END = datetime.datetime(2027, 1, 1, tzinfo=datetime.timezone.utc)
HOUR = datetime.timedelta(hours=1)
SECOND = datetime.timedelta(seconds=1)


def term(days: float, renewed: datetime.timedelta | None = None) -> Term:
    """A lifetime that ends at `END`."""
    return Term(begins=END - days * DAY, ends=END, renewed=renewed)


@pytest.mark.parametrize(
    ("days", "stages"),
    [
        (398, [30 * DAY, 7 * DAY, DAY]),
        (90, [30 * DAY, 7 * DAY, DAY]),
        (45, [15 * DAY, 7 * DAY, DAY]),
        (30, [10 * DAY, 7 * DAY, DAY]),
        (6, [2 * DAY, DAY, 0.3 * DAY]),
        (1, [8 * HOUR, 4 * HOUR, 1.2 * HOUR]),
    ],
)
def test_stages(days: float, stages: list[datetime.timedelta]) -> None:
    """By days, or by parts of the lifetime where that is short."""
    assert list(term(days).stages) == stages


def test_each_is_said_once_when_it_is_crossed_and_the_end_daily() -> None:
    """Looked at each hour: six lines in forty days, and one a day from the end on."""
    one, said, now = term(90), [], END - 40 * DAY
    while now <= END + 2.5 * DAY:
        mark = one.mark(now)
        if mark is not None and (not said or mark > said[-1][0]):
            said.append((mark, now))
        now += HOUR
    left = [END - now for _, now in said]
    assert left == [30 * DAY, 7 * DAY, DAY, -HOUR, -DAY, -2 * DAY]


@pytest.mark.parametrize("days", [398, 90, 45, 6, 1])
def test_the_next_moment_is_known(days: float) -> None:
    """From one to the next, nothing is left out; the end comes right behind the last second."""
    one, now, moments = term(days), END - days * DAY, []
    for _ in range(6):
        before = one.mark(now)
        now = one.next_mark(now)
        assert one.mark(now) != before
        assert one.mark(now - datetime.timedelta(microseconds=1)) == before
        moments.append(now)
    assert moments[3] - END < SECOND
    assert [moment - END for moment in moments[4:]] == [DAY, 2 * DAY]


def test_nothing_is_said_of_what_is_renewed_in_time() -> None:
    """Where something renews it 30 days before the end, or at a third, that stage is no news; later ones are."""
    assert term(398, 30 * DAY).stages == (7 * DAY, DAY)
    assert term(45, 15 * DAY).stages == (7 * DAY, DAY)
    assert term(6, 2 * DAY).stages == (DAY, 0.3 * DAY)
    overdue = term(398, 30 * DAY)
    assert overdue.mark(END - 8 * DAY) is None
    assert overdue.life(END - 8 * DAY) is Life.WELL
    assert overdue.mark(END - 6 * DAY) == END - 7 * DAY
    assert overdue.life(END - 6 * DAY) is Life.SOON


def test_how_it_stands() -> None:
    """As `tlsrun check` has it: 21 days are soon, or a third of the lifetime; good to the last second."""
    assert soon(END - 90 * DAY, END) == 21 * DAY
    assert soon(END - 6 * DAY, END) == 2 * DAY
    lives = [term(90).life(END - left) for left in (22 * DAY, 21 * DAY, 0 * DAY, -SECOND)]
    assert lives == [Life.WELL, Life.SOON, Life.SOON, Life.EXPIRED]
