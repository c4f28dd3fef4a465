"""Where Hypercorn's requests meet the application: a thread for each, as many of them at work as there are slots."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tlsrun.servers.broken import Broken
from tlsrun.servers.hypercorn.announcing import Announcement
from tlsrun.servers.hypercorn.environ import variables
from tlsrun.servers.hypercorn.exchange import ClientGone, Exchange
from tlsrun.servers.slots import Slots
from tlsrun.servers.wsgi import callback

_log = logging.getLogger("tlsrun.hypercorn")

#: What Hypercorn's protocols call with each event of a response; None when nothing more comes.
Send = Callable[[Any], Awaitable[None]]


class Desk:
    """Made in a worker, once its loop runs.

    Arguments:
        application: the WSGI callable.
        threads: how many requests are answered at once.
        processes: workers of the server.
        software: its name and version.
        prefix: the path below which the application lives; "" for the root.
        patience: seconds in which a client has to send, or take, some more of a body.
        broken: makes what the application is told of a body that breaks off.
        announcement: what clients are told of HTTP/3.
    """

    def __init__(
        self,
        application: Callable[..., Any],
        *,
        threads: int,
        processes: int,
        software: str,
        prefix: str,
        patience: float,
        broken: Broken,
        announcement: Announcement,
    ) -> None:
        slots = Slots(threads)
        base = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SCRIPT_NAME": prefix,
            "SERVER_SOFTWARE": software,
            "wsgi.errors": sys.stderr,
            "wsgi.input_terminated": True,
            "wsgi.multiprocess": processes > 1,
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
        self._patience = patience
        self._announcement = announcement
        self._loop = asyncio.get_running_loop()

    def begin(self, scope: Any, send: Send, consumed: Callable[[int], None] | None) -> Exchange:
        """Have a request answered.

        Arguments:
            scope: Hypercorn's description of it; its state holds the `Line` that it came over.
            consumed: told, in the loop, how many bytes of the body were taken; None where the client is to wait
                while its body waits.
        """
        line = scope["state"]["line"]
        environ = variables(scope, line)
        exchange = Exchange(
            self._loop, send, scope, patience=self._patience, consumed=consumed,
            alt_svc=self._announcement.to(line, environ.get("HTTP_HOST", "")),
        )  # fmt: skip
        environ["wsgi.input"] = exchange.inbox
        environ["tlsrun.socket"] = line.tls
        self._pool.submit(self._run, exchange, environ)
        return exchange

    def close(self) -> None:
        """Let the threads end that have nothing to do."""
        self._pool.shutdown(wait=False)

    def _run(self, exchange: Exchange, environ: dict[str, Any]) -> None:
        try:
            self._answer(exchange, environ)
        except ClientGone:
            pass
        except BaseException as error:  # noqa: BLE001 -- also sys.exit() in a view ends its request alone
            if not exchange.gone_with(error):
                _log.exception("%s %s failed", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            exchange.fail()
        finally:
            exchange.finish()


def unsendable(value: str) -> str | None:
    """Why no version of HTTP can carry a header of this value; None when it can (RFC 9110, section 5.5)."""
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return "HTTP sends octets, and this has other characters"
    if any(character < " " and character != "\t" or character == "\x7f" for character in value):
        return "it has control characters"
    return None
