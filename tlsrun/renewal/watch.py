"""The thread that checks once per second whether certificate files have changed, and whether one expires soon."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from tlsrun.renewal.expiry_log import ExpiryLog
from tlsrun.renewal.reload import Certificates, Status
from tlsrun.tls.origin import utc_now

_log = logging.getLogger("tlsrun.reload")


class Watcher:
    """A daemon thread that has `Certificates` check its files.

    It is started in each process that serves, never in one that will fork: a lock held at the fork would stay locked in
    the child for ever.

    Arguments:
        certificates: the certificates to check.
        interval: seconds between two checks; a change is served after the second one.
        report: called with the status, at the start and whenever it has changed.
        expiry: logs warnings about certificates that expire; None for none.
        follows: whether to read changed files again.
    """

    def __init__(
        self,
        certificates: Certificates,
        *,
        interval: float = 1.0,
        report: Callable[[tuple[Status, ...]], None] = lambda status: None,
        expiry: ExpiryLog | None = None,
        follows: bool = True,
    ) -> None:
        self._certificates = certificates
        self._interval = interval
        self._report = report
        self._expiry = expiry
        self._follows = follows
        self._reported: tuple[Status, ...] = ()
        self._untold = True
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Report the status, then start the thread. To be called once."""
        # Not in the thread: the status must be there as soon as this process serves.
        self._take(self._tell)
        # Not created before a fork: Python 3.13 treats an older thread object as one that has ended.
        self._thread = threading.Thread(target=self._run, name="tlsrun-certificates", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and wait for it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def told_anew(self) -> None:
        """Report the status at the next check, since certificates were read by somebody else."""
        self._untold = True

    def _run(self) -> None:
        self._take(self._look_at_the_clock)
        while not self._stopping.wait(self._interval):
            self._take(self._look)
            self._take(self._look_at_the_clock)

    def _take(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 -- a watcher that dies would let certificates expire
            _log.error("looking for new certificates failed: %s: %s", type(error).__name__, error)

    def _look(self) -> None:
        # Computing the status of a thousand certificates each second would keep a processor busy.
        self._untold = (self._follows and self._certificates.reload_changed()) or self._untold
        if self._untold:
            self._tell()

    def _look_at_the_clock(self) -> None:
        if self._expiry is not None:
            self._expiry.look(utc_now())

    def _tell(self) -> None:
        status = self._certificates.status()
        if status != self._reported:
            if self._expiry is not None:
                self._expiry.heed(status)
            self._report(status)
            self._reported = status
        self._untold = False
