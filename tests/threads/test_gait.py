"""Whether requests are served one after the other or side by side, by what the last ones were like."""

from __future__ import annotations

import threading

from tlsrun.threads.gait import Gait, Moment, moment


def _request(took: float, computed: float, waits: int) -> tuple[Moment, Moment]:
    return (100.0, 10.0, 5), (100.0 + took, 10.0 + computed, 5 + waits)


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_gait() -> None:
    """It changes when requests mostly wait, is tried anew after a while, and later each time."""
    clock = _Clock()
    requests = Gait(clock)
    for _ in range(50):
        # One in five waited for a moment.
        for took in (0.0004, 0.0004, 0.003, 0.0004, 0.0004):
            requests.note(*_request(took, 0.0004, 1))
        # Other processes want the processor too.
        for _ in range(5):
            requests.note(*_request(0.003, 0.0004, 0))
    assert not requests.side_by_side()
    for span in (1, 2, 4, 8, 16, 30, 30):
        for _ in range(4):
            assert not requests.side_by_side()
            requests.note(*_request(0.003, 0.0004, 1))
        clock.now += span - 0.1
        assert requests.side_by_side()
        clock.now += 0.2
    for _ in range(100):
        requests.note(*_request(0.0004, 0.0004, 0))
    for _ in range(4):
        requests.kept()
    clock.now += 1.1
    assert not requests.side_by_side()


def test_gait_of_requests_that_compute() -> None:
    """However much: another thread could not compute meanwhile. What takes very long, the lookout tells."""
    requests = Gait()
    for _ in range(20):
        requests.note(*_request(0.0039, 0.0035, 1))
    assert not requests.side_by_side()


def test_moments_of_a_thread_that_waits() -> None:
    """Only that one has."""
    before = moment()
    threading.Event().wait(0.02)
    after = moment()
    assert after[2] > before[2]
    assert after[0] - before[0] >= 0.015
    assert after[1] - before[1] < 0.015
