"""Exceptions raised to the application when a request body is truncated or malformed, one for each framework."""

from __future__ import annotations

import errno

from tlsrun.optional import is_installed


class BrokenBody(ConnectionResetError):
    """The client disconnected in the middle of the body, or framed it wrongly.

    A ConnectionResetError, so code that does not know this class sees a client that disconnected.

    Arguments:
        words: what happened, as a sentence for people.
    """

    def __init__(self, words: str) -> None:
        super().__init__(errno.ECONNRESET, words)
        self.words = words

    def __str__(self) -> str:
        return self.words


#: An exception class to raise; called with the message.
Broken = type[BrokenBody]


def broken_for(framework: str) -> Broken:
    """Return the exception class for applications of ``framework`` (``flask``, ``bottle`` or ``wsgi``).

    A framework treats an exception that it does not know as a bug of the application: it logs a traceback and
    responds 500. So for Flask and Bottle the class is also one of their own exceptions, which they turn into 400.
    """
    if framework == "flask" and is_installed("werkzeug"):
        return _flask()
    if framework == "bottle" and is_installed("bottle"):
        return _bottle()
    return BrokenBody


def _flask() -> Broken:
    from werkzeug.exceptions import ClientDisconnected

    class BrokenFlaskBody(BrokenBody, ClientDisconnected):
        """Flask responds 400 to it."""

        def __init__(self, words: str) -> None:
            BrokenBody.__init__(self, words)
            self.description = words
            self.response = None

    return BrokenFlaskBody


def _bottle() -> Broken:
    from bottle import HTTPError

    class BrokenBottleBody(BrokenBody, HTTPError):  # type: ignore[misc]  # Bottle has no types
        """Bottle responds 400 to it."""

        def __init__(self, words: str) -> None:
            BrokenBody.__init__(self, words)
            HTTPError.__init__(self, 400, words)

    return BrokenBottleBody
