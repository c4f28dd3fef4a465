"""Bodies by Granian's ASGI interface: what is asked for, what the application is told, and what is let go of."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.process import eventually
from tests.support.servers import need

need("granian")

from tlsrun.servers.granian import request_body  # noqa: E402 -- once it is known to be there
from tlsrun.servers.granian.asgi import wait_for  # noqa: E402
from tlsrun.servers.granian.request_body import RequestBody  # noqa: E402


class _Promise:
    """As Granian makes them: kept when the test says so, in whichever thread."""

    def __init__(self) -> None:
        self._message: Any = None
        self._then: Callable[[Any], object] | None = None
        self._cancelled = False

    def __next__(self) -> _Promise:
        if self._message is not None:
            raise StopIteration(self._message)
        return self

    def add_done_callback(self, then: Callable[[Any], object]) -> None:
        self._then = then
        if self._message is not None:
            then(self)

    def keep(self, message: Any) -> None:
        self._message = message
        if self._then is not None:
            self._then(self)

    def cancel(self) -> None:
        self._cancelled = True
        if self._then is not None:
            self._then(self)

    def cancelled(self) -> bool:
        return self._cancelled

    def result(self) -> Any:
        return self._message


class _Granian:
    """Its side of a request."""

    def __init__(self) -> None:
        self.promises: list[_Promise] = []

    def receive(self) -> _Promise:
        self.promises.append(_Promise())
        return self.promises[-1]

    def send(self, data: bytes, *, more: bool = True) -> None:
        self.promises[-1].keep({"type": "http.request", "body": data, "more_body": more})

    def break_off(self) -> None:
        self.promises[-1].keep({"type": "http.disconnect"})


@pytest.fixture
def granian() -> _Granian:
    """One request."""
    return _Granian()


def _reading(body: RequestBody, pool: ThreadPoolExecutor, granian: _Granian, size: int) -> Any:
    asked = len(granian.promises)
    reading = pool.submit(body.read, size)
    eventually(lambda: len(granian.promises) > asked or reading.done(), what="what is asked of Granian")
    return reading


def test_a_body_that_comes_whole(granian: _Granian) -> None:
    """So many bytes as were asked for, fewer at the end; nothing is asked for before somebody reads."""
    body = RequestBody(granian)
    assert granian.promises == []
    with ThreadPoolExecutor(1) as pool:
        reading = _reading(body, pool, granian, 7)
        granian.send(b"hello")
        granian.send(b" world")
        assert reading.result(10) == b"hello w"
    granian.send(b"", more=False)
    assert (body.read(100), body.read(1)) == (b"orld", b"")


def test_one_that_breaks_off(granian: _Granian) -> None:
    """What had come is read; then it is said."""
    body = RequestBody(granian)
    with ThreadPoolExecutor(1) as pool:
        reading = _reading(body, pool, granian, 3)
        granian.send(b"hello")
        assert reading.result(10) == b"hel"
    granian.break_off()
    assert body.read(2) == b"lo"
    for _ in range(2):
        with pytest.raises(ConnectionResetError, match="went away"):
            body.read(1)


def test_one_that_stalls(granian: _Granian, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client is given up; what had come is not taken for the whole."""
    monkeypatch.setattr(request_body, "PATIENCE", 0.05)
    with pytest.raises(ConnectionResetError, match="sent nothing for 0.05 s"):
        RequestBody(granian).read(1)


def test_a_client_waits_for_the_application(granian: _Granian, monkeypatch: pytest.MonkeyPatch) -> None:
    """So much is asked for ahead, and more when the application has read what is there."""
    monkeypatch.setattr(request_body, "_AHEAD", 10)
    body = RequestBody(granian)
    with ThreadPoolExecutor(1) as pool:
        reading = _reading(body, pool, granian, 1)
        granian.send(b"x" * 11)
        assert reading.result(10) == b"x"
        assert len(granian.promises) == 1
        reading = _reading(body, pool, granian, 11)
        granian.send(b"y", more=False)
        assert reading.result(10) == b"x" * 10 + b"y"


def test_who_answers_learns_that_the_client_has_gone(granian: _Granian) -> None:
    """With a body that is read, and without one."""
    body = RequestBody(granian)
    body.watch()
    granian.send(b"", more=False)
    assert not body.gone
    granian.break_off()
    assert body.gone
    assert body.read(1) == b""


def test_nothing_is_held_in_the_end(granian: _Granian) -> None:
    """What was asked for is not wanted any more: Granian could not go on with the connection."""
    body = RequestBody(granian)
    body.watch()
    body.close()
    assert granian.promises[-1].cancelled()
    body.watch()
    assert len(granian.promises) == 1
    with pytest.raises(ConnectionResetError):
        body.read(1)


def test_what_is_promised_is_waited_for_so_long() -> None:
    """And is not wanted any more then."""
    promise = _Promise()
    with pytest.raises(TimeoutError):
        wait_for(promise, 0.01)
    assert promise.cancelled()
    kept = _Promise()
    kept.keep("kept")
    assert wait_for(kept, 0) == "kept"
