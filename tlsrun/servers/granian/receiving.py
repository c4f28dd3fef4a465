"""What Granian calls for each request: one that may have to wait for its client gets another thread than Granian's."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from io import BytesIO
from typing import Any

from tlsrun.servers.granian.answering import GranianAnswer
from tlsrun.servers.granian.pool import Answer, Runtime
from tlsrun.servers.granian.request_body import RequestBody
from tlsrun.servers.granian.wsgi import environ_of, has_body

_log = logging.getLogger("tlsrun.granian")

#: To these no body belongs that would mean anything (RFC 9110, sections 9.3.1 and 9.3.2), and most requests are such.
_WITHOUT_BODY = ("GET", "HEAD")


def receiver(runtime: Runtime, around: Callable[[Answer], Answer]) -> Callable[[Any, dict[str, Any]], None]:
    """What is to be called, in threads of Granian's, with its side of a request and its description.

    Arguments:
        runtime: our side of Granian's.
        around: makes of what answers what is called.
    """
    answer, answer_upload = around(runtime.answer), around(runtime.answer_upload)
    queue, may_wait, alone, base = runtime.client_threads.queue, runtime.pool.may_wait, runtime.pool.alone, runtime.base

    def received(protocol: Any, scope: dict[str, Any]) -> None:
        environ = environ_of(base, scope)
        if not has_body(environ):
            environ["wsgi.input"] = BytesIO()
            answer(GranianAnswer(protocol, None, may_wait), environ)
        elif "CONTENT_LENGTH" not in environ and environ["REQUEST_METHOD"] in _WITHOUT_BODY:
            # There may be none: where the application asks for it, this thread waits.
            body = RequestBody(protocol)
            environ["wsgi.input"] = BytesIO() if alone else body
            try:
                answer(GranianAnswer(protocol, None if alone else body, may_wait), environ)
            finally:
                body.close()
        else:
            environ["wsgi.input"] = body = RequestBody(protocol)
            queue(lambda: _take(answer_upload, GranianAnswer(protocol, body), environ))

    return received


def closing(answer: Answer) -> Answer:
    """The same, and nothing holds the request's body any more."""

    def answered(protocol: Any, environ: dict[str, Any]) -> int:
        body = environ["wsgi.input"]
        try:
            return answer(protocol, environ)
        finally:
            body.close()

    return answered


def _take(answer: Answer, protocol: GranianAnswer, environ: dict[str, Any]) -> None:
    try:
        answer(protocol, environ)
    except BaseException:  # also sys.exit() in a view ends its request alone
        _log.exception("%s %s failed", environ["REQUEST_METHOD"], environ["PATH_INFO"])
        with contextlib.suppress(Exception):  # it has been answered
            protocol.response_bytes(500, [], b"")
