"""The errors of tlsrun, split by who must act; libraries raise them, only the command line prints them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

#: What has no place in a line of text: control characters, those that end a line to some, and bytes of file names that
#: are no text.
NOT_IN_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_Error = TypeVar("_Error", bound="ConfigurationError")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong or odd, in one line.

    Arguments:
        where: what was given and by whom, as the user wrote it (``TLS_CERT in app.config``, ``--port 80``).
        what: what is wrong with it.
        remedy: what to do, as a line or command to type.
        code: its stable code in the reference of findings (``TLS111``); None where it has none.
    """

    where: str
    what: str
    remedy: str
    code: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {_sentence(self.what)} {_sentence(self.remedy)}"


def did_you_mean(written: str, known: Iterable[str], otherwise: str) -> str:
    """What to do about a word that nobody knows.

    Arguments:
        known: the words that there are.
        otherwise: what to do where none of them is like it.
    """
    import difflib  # late: only who has made a mistake needs it

    close = difflib.get_close_matches(written, sorted(known), n=1)
    return f"Did you mean {close[0]}?" if close else otherwise


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


class TLSRunError(Exception):
    """The root of every error that tlsrun raises on purpose."""


class ConfigurationError(TLSRunError):
    """What the user gave cannot be served. Carries all problems at once."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @classmethod
    def of(cls: type[_Error], *, where: str, what: str, remedy: str, code: str | None = None) -> _Error:
        """An error with one `Problem`, which has the same arguments."""
        return cls([Problem(where=where, what=what, remedy=remedy, code=code)])


class CertificateError(ConfigurationError):
    """A certificate, key or chain cannot be used."""


class AppNotFound(TLSRunError):
    """The application that was named does not exist (an import that fails raises its own error)."""


class ServerUnavailable(ConfigurationError):
    """The server asked for cannot run here: not installed, or not on this system."""
