"""Passwords of private keys, read from a file or from the output of a program."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tlsrun.errors import CertificateError, Problem

#: The ways to give a password, for messages.
WAYS = (
    "TLS_KEY_PASSWORD in the app's config, TLSRUN_KEY_PASSWORD in the environment, --key-password-file, "
    "or --key-password-command"
)

#: Seconds that a program has to print a password: enough to ask a vault over the network, but not a person.
PATIENCE = 10.0


@dataclass(frozen=True, kw_only=True)
class PasswordPlace:
    """Where a password is read from. Each call reads it again, as it may change with the key.

    Arguments:
        given_by: the setting as the user spelled it.
        value: the file's path, or the command.
        is_command: which of the two it is.
    """

    given_by: str
    value: str
    is_command: bool

    def read(self) -> bytes:
        """The password; raises CertificateError as `password_from_file` and `password_from_command`."""
        return (password_from_command if self.is_command else password_from_file)(self.value, self.given_by)


def password_from_file(path: str, given_by: str) -> bytes:
    """The first line of a file.

    Arguments:
        path: ``~`` and ``$VARIABLES`` are expanded.
        given_by: the setting as the user spelled it.

    Raises:
        CertificateError: it cannot be read, or its first line is empty.
    """
    place = os.path.abspath(Path(os.path.expandvars(path)).expanduser())
    remedy = "Name a file whose first line is the password"
    try:
        lines = Path(place).read_bytes().splitlines()
    except OSError as error:
        raise _refusal(given_by, f"cannot be read: {error.strerror}: {place}", remedy) from error
    if not lines or not lines[0]:
        raise _refusal(given_by, f"has nothing in its first line: {place}", remedy)
    return lines[0]


def password_from_command(command: str, given_by: str) -> bytes:
    """The first line that a program prints. It is started without a shell, and its standard input is empty.

    Arguments:
        command: the program and its arguments, split as a shell splits words.
        given_by: the setting as the user spelled it.

    Raises:
        CertificateError: it cannot be started, fails, takes more than 10 seconds, or prints nothing.
    """
    words = _words(command, given_by)
    try:
        done = subprocess.run(  # noqa: S603 -- the user's own program, and no shell
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        what = f"{words[0]} printed no password within {PATIENCE:.0f} seconds"
        raise _refusal(given_by, what, "Name a program that asks nobody") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        what = f"{words[0]} cannot be started: {reason}"
        raise _refusal(given_by, what, "Give its whole path; it is started without a shell") from None
    if done.returncode != 0:
        what = f"{words[0]} failed with the exit code {done.returncode}{_last_error_line(done.stderr)}"
        raise _refusal(given_by, what, f"Try it: {command}")
    lines = done.stdout.splitlines()
    if not lines or not lines[0]:
        raise _refusal(given_by, f"{words[0]} printed nothing", f"Try it: {command}")
    return lines[0]


def _words(command: str, given_by: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        what = f"{command!r} cannot be split into words: {error}"
        raise _refusal(given_by, what, "Close the quotation mark") from None
    if not words:
        what, remedy = "names no program", "Name one with its arguments, such as: pass show tls/key"
        raise _refusal(given_by, what, remedy)
    return words


def _last_error_line(said: bytes) -> str:
    """The last line of standard error; never of standard output, which may be the password."""
    lines = said.decode(errors="replace").strip().splitlines()
    return f": {lines[-1][:200]}" if lines else ""


def _refusal(given_by: str, what: str, remedy: str) -> CertificateError:
    return CertificateError([Problem(where=given_by, what=what, remedy=remedy, code="TLS115")])
