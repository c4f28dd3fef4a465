"""Whether requests are served one after the other or side by side, by what the last ones were like."""

from __future__ import annotations

import threading

from tlsrun.threads.workload import Usage, Workload, usage


def _request(took: float, computed: float, waits: int) -> tuple[Usage, Usage]:
    return (100.0, 10.0, 5), (100.0 + took, 10.0 + computed, 5 + waits)


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_workload() -> None:
    """It changes when requests mostly wait, is tried anew after a while, and later each time."""
    clock = _Clock()
    requests = Workload(clock)
    for _ in range(50):
        # One in five waited for a moment.
        for took in (0.0004, 0.0004, 0.003, 0.0004, 0.0004):
            requests.record(*_request(took, 0.0004, 1))
        # Other processes want the processor too.
        for _ in range(5):
            requests.record(*_request(0.003, 0.0004, 0))
    assert not requests.blocking()
    for span in (1, 2, 4, 8, 16, 30, 30):
        for _ in range(4):
            assert not requests.blocking()
            requests.record(*_request(0.003, 0.0004, 1))
        clock.now += span - 0.1
        assert requests.blocking()
        clock.now += 0.2
    for _ in range(100):
        requests.record(*_request(0.0004, 0.0004, 0))
    for _ in range(4):
        requests.record_stall()
    clock.now += 1.1
    assert not requests.blocking()


def test_workload_of_requests_that_compute() -> None:
    """However much: another thread could not compute meanwhile. What takes very long, the monitor tells."""
    requests = Workload()
    for _ in range(20):
        requests.record(*_request(0.0039, 0.0035, 1))
    assert not requests.blocking()


def test_usage_of_a_thread_that_waits() -> None:
    """Only that one has."""
    before = usage()
    threading.Event().wait(0.02)
    after = usage()
    assert after[2] > before[2]
    assert after[0] - before[0] >= 0.015
    assert after[1] - before[1] < 0.015
