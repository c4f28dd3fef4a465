"""A body that breaks off, in the terms of each framework."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable
from typing import Any

import bottle
import flask
import pytest

from tlsrun.servers.broken import BrokenBody, broken_for


class _Broken(io.RawIOBase):
    def __init__(self, error: Exception) -> None:
        self._error = error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise self._error


def _flask() -> Callable[..., Any]:
    app = flask.Flask("broken")
    app.add_url_rule("/", "read", lambda: str(len(flask.request.get_data())), methods=["POST"])
    return app


def _bottle() -> Callable[..., Any]:
    app = bottle.Bottle()
    app.post("/")(lambda: str(len(bottle.request.body.read())))
    return app


@pytest.mark.parametrize(("framework", "make"), [("flask", _flask), ("bottle", _bottle)])
def test_a_framework_answers_400(framework: str, make: Callable[[], Callable[..., Any]]) -> None:
    """By itself, with no word in the log: the request is bad, and not the application."""
    errors, statuses = io.StringIO(), []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "CONTENT_LENGTH": "10",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "443",
        "wsgi.url_scheme": "https",
        "wsgi.errors": errors,
        "wsgi.input_terminated": True,
        "wsgi.input": io.BufferedReader(_Broken(broken_for(framework)("half of it came"))),
    }
    answer = make()(environ, lambda status, headers, exc_info=None: statuses.append(status))
    assert b"half of it came" in b"".join(answer)
    assert [status[:3] for status in statuses] == ["400"]
    assert errors.getvalue() == ""


@pytest.mark.parametrize("framework", ["wsgi", "flask", "bottle"])
def test_for_everybody_else_it_is_a_client_that_went_away(framework: str) -> None:
    """As a socket has it."""
    error = broken_for(framework)("half of it came")
    assert isinstance(error, (BrokenBody, ConnectionResetError))
    assert (error.errno, str(error)) == (errno.ECONNRESET, "half of it came")
