"""What an application is told when the body that it reads breaks off: in its framework's own terms."""

from __future__ import annotations

import errno

from tlsrun.optional import is_installed


class BrokenBody(ConnectionResetError):
    """The client broke off its request, or framed it wrongly.

    To whoever knows nothing of it, a client that went away.

    Arguments:
        words: what happened, for people.
    """

    def __init__(self, words: str) -> None:
        super().__init__(errno.ECONNRESET, words)
        self.words = words

    def __str__(self) -> str:
        return self.words


#: What is raised, of words.
Broken = type[BrokenBody]


def broken_for(framework: str) -> Broken:
    """What is raised to an application of ``framework`` (``flask``, ``bottle`` or ``wsgi``).

    A framework takes an exception that it does not know for the application's own fault: it logs a traceback, and
    answers 500. Flask and Bottle are told in their own exceptions that the request is bad.
    """
    if framework == "flask" and is_installed("werkzeug"):
        return _flask()
    if framework == "bottle" and is_installed("bottle"):
        return _bottle()
    return BrokenBody


def _flask() -> Broken:
    from werkzeug.exceptions import ClientDisconnected

    class BrokenFlaskBody(BrokenBody, ClientDisconnected):
        """Flask answers 400 to it."""

        def __init__(self, words: str) -> None:
            BrokenBody.__init__(self, words)
            self.description = words
            self.response = None

    return BrokenFlaskBody


def _bottle() -> Broken:
    from bottle import HTTPError

    class BrokenBottleBody(BrokenBody, HTTPError):  # type: ignore[misc]  # Bottle has no types
        """Bottle answers 400 to it."""

        def __init__(self, words: str) -> None:
            BrokenBody.__init__(self, words)
            HTTPError.__init__(self, 400, words)

    return BrokenBottleBody
