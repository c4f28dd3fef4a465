"""The threads that run the application for Hypercorn: one for each request, limited by slots."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tlsrun.servers.broken import Broken, BrokenBody
from tlsrun.servers.hypercorn.deadlines import Deadlines
from tlsrun.servers.hypercorn.exchange import Exchange
from tlsrun.servers.hypercorn.response_queue import ClientGone
from tlsrun.servers.slots import Slots
from tlsrun.servers.store import SharedQuota
from tlsrun.servers.wsgi import callback

_log = logging.getLogger("tlsrun.hypercorn")

#: Seconds within which a client must send or receive some more of a body.
PATIENCE = 60.0
_PAUSE = 1.0  # seconds of silence after which a client may be waiting for a response to the part that it has sent
#: Buffered bytes of all request bodies, and again of all responses: in memory, and in total with files.
_MEMORY, _TOTAL = 1 << 25, 1 << 28

#: Passes an event of a response to Hypercorn's stream; None after the last one.
Send = Callable[[Any], Awaitable[None]]


class Threads:
    """The threads of one worker.

    Arguments:
        application: the WSGI callable.
        threads: how many requests run at once.
        multiprocess: whether there may be other workers.
        software: the server's name and version.
        prefix: the path under which the application is mounted; "" for the root.
        broken: exception class raised to the application for a truncated body.
    """

    def __init__(
        self,
        application: Callable[..., Any],
        *,
        threads: int,
        multiprocess: bool,
        software: str,
        prefix: str = "",
        broken: Broken = BrokenBody,
    ) -> None:
        slots = Slots(threads)
        base = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SCRIPT_NAME": prefix,
            "SERVER_SOFTWARE": software,
            "wsgi.errors": sys.stderr,
            "wsgi.input_terminated": True,
            "wsgi.multiprocess": multiprocess,
            "wsgi.multithread": threads > 1,
            "wsgi.run_once": False,
            "wsgi.url_scheme": "https",
            "wsgi.version": (1, 0),
        }
        self._answer = callback(
            application,
            base,
            slots,
            unsendable=unsendable,
            sends_at_once=False,
            admit=Exchange.admit,
            broken=broken,
        )
        self._pool = ThreadPoolExecutor(slots.threads, thread_name_prefix="hypercorn-request")
        self._deadlines, self._pauses = Deadlines(PATIENCE), Deadlines(_PAUSE)
        # Requests with an incomplete body may occupy half of the threads; a single thread never waits for a body.
        self._most_early = 0 if slots.alone else slots.threads // 2
        self._early = 0
        self._bodies, self._answers = SharedQuota(_MEMORY, _TOTAL), SharedQuota(_MEMORY, _TOTAL)

    def begin(
        self,
        scope: Any,
        environ: dict[str, Any],
        send: Send,
        *,
        consumed: Callable[[int], None] | None,
        alt_svc: bytes | None = None,
    ) -> Exchange:
        """Start handling a request; a thread runs it once its body has arrived.

        Arguments:
            scope: Hypercorn's ASGI scope of the request.
            environ: the part of environ that depends on the request.
            send, consumed, alt_svc: as for `Exchange`.
        """
        exchange = Exchange(
            asyncio.get_running_loop(), send, scope, start=self._submit, bodies=self._bodies, answers=self._answers,
            pauses=self._pauses, deadlines=self._deadlines, consumed=consumed, alt_svc=alt_svc,
        )  # fmt: skip
        environ["wsgi.input"] = exchange.body
        exchange.environ = environ
        return exchange

    def close(self) -> None:
        """Let idle threads end."""
        self._pool.shutdown(wait=False)

    def _submit(self, exchange: Exchange, early: bool) -> bool:
        if not early:
            self._pool.submit(self._run, exchange)
            return True
        if self._early >= self._most_early:
            return False
        self._early += 1
        self._pool.submit(self._run_early, exchange, asyncio.get_running_loop())
        return True

    def _run_early(self, exchange: Exchange, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._run(exchange)
        finally:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._early_is_over)

    def _early_is_over(self) -> None:
        self._early -= 1

    def _run(self, exchange: Exchange) -> None:
        environ = exchange.environ
        try:
            self._answer(exchange, environ)
        except ClientGone:
            pass
        except BaseException as error:  # noqa: BLE001 -- even sys.exit() in a view only ends its request
            if not exchange.gone_with(error):
                _log.exception("%s %s failed", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            exchange.fail()
        finally:
            exchange.finish()


def unsendable(value: str) -> str | None:
    """Return why HTTP cannot carry a header with this value; None if it can (RFC 9110, section 5.5)."""
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return "HTTP sends octets, and this has other characters"
    if any(character < " " and character != "\t" or character == "\x7f" for character in value):
        return "it has control characters"
    return None
