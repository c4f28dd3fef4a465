"""Bodies that Granian cannot be asked for without harm: which are read how, and what is left behind."""

from __future__ import annotations

import _thread
import contextlib
import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.process import eventually
from tlsrun.servers.granian import pump, upload
from tlsrun.servers.granian.upload import ALL_WHOLE, SPINS, WAITS, WHOLE, Uploads
from tlsrun.servers.granian.wear import FULL, PARKED, Wear
from tlsrun.servers.slots import Slots

TEXT = bytes(range(256)) * 1000


class _Raw:
    """Granian's, with a note of how it is read."""

    def __init__(self, data: bytes = TEXT) -> None:
        self._data = io.BytesIO(data)
        self.calls: list[int | None] = []
        self.readers: set[int] = set()

    def read(self, size: int | None = None) -> bytes:
        self.calls.append(size)
        self.readers.add(threading.get_ident())
        return self._data.read(size)


class _Endless(_Raw):
    """The end of its body does not come, until the test says so."""

    def __init__(self, *, busy: bool) -> None:
        super().__init__()
        self._busy = busy
        self.over = threading.Event()

    def read(self, size: int | None = None) -> bytes:
        while not self.over.is_set():
            self.over.wait(0 if self._busy else 60)
        return b""


@pytest.fixture
def said() -> list[str]:
    """Why the worker should be replaced."""
    return []


@pytest.fixture
def uploads(said: list[str]) -> Uploads:
    """Of a worker with several slots."""
    return Uploads(said.append, Slots(4))


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "_PATIENCE", 0.05)
    monkeypatch.setattr(pump, "_RATE", 1 << 30)


def test_a_short_body_is_read_at_once(uploads: Uploads) -> None:
    """By the request's own thread, with the call that comes to an end whatever its client does."""
    raw = _Raw()
    source = uploads.source(raw, len(TEXT), "HTTP/2")
    assert [source.read(1000), source.read(len(TEXT)), source.read(1)] == [TEXT[:1000], TEXT[1000:], b""]
    assert (raw.calls, raw.readers) == ([None], {threading.get_ident()})


@pytest.mark.parametrize("length", [None, WHOLE + 1])
def test_others_are_read_by_a_thread_of_their_own(uploads: Uploads, length: int | None) -> None:
    """In pieces; what was asked for comes, and no more is asked for than that. The thread ends with the body."""
    raw = _Raw()
    before = _thread._count()
    source = uploads.source(raw, length, "HTTP/2")
    assert [source.read(1000), source.read(100_000)] == [TEXT[:1000], TEXT[1000:101_000]]
    assert source.read(1 << 20) == TEXT[101_000:]
    assert source.read(1) == b""
    assert max(size or 0 for size in raw.calls) == 65536
    assert threading.get_ident() not in raw.readers
    del source
    eventually(lambda: _thread._count() == before, what="the end of the thread")


def test_memory_is_bounded(uploads: Uploads) -> None:
    """Short bodies too are read in pieces when there are many of them; what was read leaves room for others."""
    sources = [uploads.source(_Raw(), WHOLE, "HTTP/2") for _ in range(ALL_WHOLE // WHOLE)]
    for source in sources:
        source.read(1)
    raw = _Raw()
    uploads.source(raw, WHOLE, "HTTP/2").read(1)
    assert raw.calls == [1]
    del source, sources[0]
    raw = _Raw()
    uploads.source(raw, WHOLE, "HTTP/2").read(1)
    assert raw.calls == [None]


def test_http_1_is_left_alone(uploads: Uploads) -> None:
    """There Granian's own way comes to an end."""
    raw = _Raw()
    assert uploads.source(raw, None, "HTTP/1.1") is raw


@contextlib.contextmanager
def _left_behind(uploads: Uploads, raw: _Endless) -> Iterator[threading.Thread]:
    """A request whose reader is left behind, in a thread as Granian has them."""
    statuses: list[int] = []

    def answer(protocol: Any, scope: dict[str, Any]) -> int:
        with pytest.raises(ConnectionResetError):
            uploads.source(scope["wsgi.input"], None, "HTTP/2").read(10)
        return 400

    whole = uploads.around(answer)
    thread = threading.Thread(target=lambda: statuses.append(whole(None, {"wsgi.input": raw})))
    thread.start()
    try:
        yield thread
    finally:
        raw.over.set()
        thread.join()
    assert statuses == [400]


def test_a_thread_that_spins_is_left_behind(uploads: Uploads, said: list[str]) -> None:
    """The application hears of it, the worker is to be replaced, and no thread goes back to Granian meanwhile."""
    with _left_behind(uploads, _Endless(busy=True)) as thread:
        eventually(lambda: said == [SPINS], what="the wish to be replaced")
        assert thread.is_alive()


@pytest.mark.usefixtures("_impatient")
def test_threads_that_wait_are_counted(uploads: Uploads, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends nothing is left behind too; too many of them wear the worker out."""
    monkeypatch.setattr(upload, "_LEFT", 3)
    with contextlib.ExitStack() as stack:
        for number in (1, 2, 3):
            assert said == []
            stack.enter_context(_left_behind(uploads, _Endless(busy=False)))
            eventually(lambda: len(uploads._behind) == number, what="one more")  # noqa: B023 -- called at once
        assert said == [WAITS]
    assert uploads._behind == {}


class _Pool:
    is_parked = False


def test_what_wears_a_worker_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Descriptors or threads that are all taken at five looks in a row; the first reason counts, once."""
    woken: list[None] = []
    with (tmp_path_factory.mktemp("wear") / "file").open("w") as file:
        pool: Any = _Pool()
        wear = Wear(lambda: woken.append(None), room=1 << 20)
        for parked in (True, True, True, True, False, True, True, True, True):
            pool.is_parked = parked
            wear.look([pool], file.fileno())
        assert (wear.why, woken) == (None, [])
        wear.look([pool], file.fileno())
        assert (wear.why, woken) == (PARKED, [None])
        full = Wear(lambda: woken.append(None), room=3)
        for _ in range(6):
            full.look([], file.fileno())
        assert (full.why, woken) == (FULL, [None, None])
