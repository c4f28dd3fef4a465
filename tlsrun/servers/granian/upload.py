"""Bodies to whose end Granian's own ``read(size)`` would not come.

Over HTTP/2 it waits for so many bytes, and when the stream breaks off meanwhile it asks for more again and again,
without a pause and without an end (Granian 2.8): one lost connection keeps a processor busy for ever. Its ``read()``
ends whatever happens, with nothing where the body broke off; but it holds the body in memory as a whole. So a body that
is short is read by that. Any other one is read in pieces by a thread of its own, whose processor time tells when it
spins. Then it is left behind, the application hears that the body broke off, and the worker is replaced.
"""

from __future__ import annotations

import _thread
import logging
import threading
from collections.abc import Callable
from typing import Any

from tlsrun.servers.granian.pool import Answer
from tlsrun.servers.granian.pump import Pump
from tlsrun.servers.slots import Slots

_log = logging.getLogger("tlsrun.granian")

#: Bytes of a body that is read at once, and of all such bodies of a worker together.
WHOLE, ALL_WHOLE = 8 << 20, 32 << 20
#: Requests of a worker whose own thread may wait for such a body: it cannot be called back.
_DIRECT = 128
#: Threads that wait for clients which send nothing, and were left behind, before the worker is replaced.
_LEFT = 64

SPINS = "an upload that broke off has left a thread spinning"
WAITS = "too many threads wait for clients that send nothing"


class Uploads:
    """What the bodies of a worker share.

    Arguments:
        worn_out: called when the worker is to be replaced, with why.
        slots: told of threads that wait.
    """

    def __init__(self, worn_out: Callable[[str], None], slots: Slots) -> None:
        self._worn_out = worn_out
        self._slots = slots
        self._lock = threading.Lock()
        self._reserved = self._direct = 0
        self._behind: dict[int, _thread.LockType] = {}

    def source(self, raw: Any, length: int | None, protocol: str) -> Any:
        """What has the ``read(size)`` by which a body is to be read: Granian's own where that does no harm.

        Arguments:
            length: in bytes, where the client said it.
            protocol: as SERVER_PROTOCOL has it.
        """
        return Upload(self, raw, length) if protocol == "HTTP/2" else raw

    def reserve(self, size: int) -> bool:
        """Whether a body of so many bytes may be read at once; `give_back` is to be called in the end."""
        with self._lock:
            fits = size <= WHOLE and self._reserved + size <= ALL_WHOLE
            self._reserved += size if fits else 0
        return fits

    def give_back(self, size: int) -> None:
        """So much is not held any more."""
        with self._lock:
            self._reserved -= size

    def at_once(self, raw: Any, size: int) -> bytes:
        """All of a body of so many bytes; nothing where it broke off.

        Raises:
            ConnectionResetError: the client was too slow with it.
        """
        with self._lock:
            direct = self._direct < _DIRECT
            self._direct += direct
        if not direct:
            return Pump(self, raw).read_all(size)
        try:
            data: bytes = raw.read()
        finally:
            with self._lock:
                self._direct -= 1
        return data

    def left(self, raw: Any, *, spins: bool) -> None:
        """As `ReaderObserver.left`."""
        with self._lock:
            self._behind[id(raw)] = bell = _thread.allocate_lock()
            bell.acquire()
            many = len(self._behind) >= _LEFT
        if spins or many:
            self._worn_out(SPINS if spins else WAITS)

    def ended(self, raw: Any) -> None:
        """As `ReaderObserver.ended`."""
        with self._lock:
            self._behind.pop(id(raw)).release()

    def around(self, answer: Answer) -> Answer:
        """What Granian is to call, so that no thread goes back to it while another one still reads the same body.

        Granian would wait for that one, and have nobody else use the interpreter meanwhile (2.8).
        """
        behind = self._behind

        def answered(protocol: Any, scope: dict[str, Any]) -> int:
            try:
                return answer(protocol, scope)
            except BaseException:
                if id(scope["wsgi.input"]) not in behind:
                    raise
                _log.exception("%s %s failed", scope["REQUEST_METHOD"], scope["PATH_INFO"])
                protocol.response_bytes(500, [], b"")
                return 500
            finally:
                if behind and (bell := behind.get(id(scope["wsgi.input"]))):
                    self._slots.away()
                    bell.acquire()
                    self._slots.back()

        return answered


class Upload:
    """A body over HTTP/2.

    Arguments:
        raw: Granian's.
        length: in bytes, where the client said it.
    """

    __slots__ = ("_data", "_length", "_pump", "_raw", "_reserved", "_uploads")

    def __init__(self, uploads: Uploads, raw: Any, length: int | None) -> None:
        self._uploads = uploads
        self._raw = raw
        self._length = length
        self._data: memoryview | None = None
        self._pump: Pump | None = None
        self._reserved = 0

    def read(self, size: int) -> bytes:
        """So many bytes; fewer at the end, and where the body broke off before its length.

        Raises:
            ConnectionResetError: it broke off, or the client sends nothing any more.
        """
        if self._pump is None and self._data is None:
            self._begin()
        if self._pump is not None:
            return self._pump.read(size)
        assert self._data is not None  # noqa: S101 -- for the type checker: one of both is there
        data, self._data = bytes(self._data[:size]), self._data[size:]
        if not self._data:
            self._release()
        return data

    def _begin(self) -> None:
        if self._length is None or not self._uploads.reserve(self._length):
            self._pump = Pump(self._uploads, self._raw)
            return
        self._reserved = self._length
        self._data = memoryview(self._uploads.at_once(self._raw, self._length))

    def _release(self) -> None:
        reserved, self._reserved = self._reserved, 0
        self._uploads.give_back(reserved)

    def __del__(self) -> None:
        if self._reserved:
            self._release()
