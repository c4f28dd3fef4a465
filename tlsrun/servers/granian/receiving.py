"""What Granian calls for each request; one that may block on its client is moved to a client thread."""

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

#: Methods whose requests have no meaningful body (RFC 9110, sections 9.3.1 and 9.3.2); these are most requests.
_WITHOUT_BODY = ("GET", "HEAD")


def receiver(runtime: Runtime, around: Callable[[Answer], Answer]) -> Callable[[Any, dict[str, Any]], None]:
    """Make the function that Granian's threads call with the protocol object and the scope of each request.

    Arguments:
        runtime: what serves the requests of this Granian runtime.
        around: wraps the functions that answer.
    """
    answer, answer_upload = around(runtime.answer), around(runtime.answer_upload)
    queue, may_wait, alone, base = runtime.client_threads.queue, runtime.pool.may_wait, runtime.pool.alone, runtime.base

    def received(protocol: Any, scope: dict[str, Any]) -> None:
        environ = environ_of(base, scope)
        if not has_body(environ):
            environ["wsgi.input"] = BytesIO()
            answer(GranianAnswer(protocol, None, may_wait), environ)
        elif "CONTENT_LENGTH" not in environ and environ["REQUEST_METHOD"] in _WITHOUT_BODY:
            # There is probably no body; if the application reads it, this thread blocks.
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
    """Wrap ``answer`` so that the request's body is closed afterwards."""

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
    except BaseException:  # a sys.exit() in a view, too, ends only its own request
        _log.exception("%s %s failed", environ["REQUEST_METHOD"], environ["PATH_INFO"])
        with contextlib.suppress(Exception):  # answered already
            protocol.response_bytes(500, [], b"")
