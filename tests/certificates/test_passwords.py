"""Passwords come from a file's first line or from a program's, and what fails is said without quoting either."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from tlsrun.certificates import passwords
from tlsrun.certificates.passwords import password_from_command, password_from_file
from tlsrun.errors import CertificateError, Problem


def refusal(command: str) -> Problem:
    with pytest.raises(CertificateError) as caught:
        password_from_command(command, "--key-password-command")
    (problem,) = caught.value.problems
    assert (problem.where, problem.code) == ("--key-password-command", "TLS115")
    return problem


def python(code: str) -> str:
    """A command that runs ``code``."""
    return shlex.join([sys.executable, "-c", code])


def test_the_first_line_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the line break; variables stand in the path."""
    (tmp_path / "password").write_bytes(b"correct horse\r\nsecond\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert password_from_file("$CREDENTIALS_DIRECTORY/password", "x") == b"correct horse"


@pytest.mark.parametrize(("content", "says"), [(None, "No such file"), (b"", "nothing"), (b"\nsecret\n", "nothing")])
def test_a_file_without_one(tmp_path: Path, content: bytes | None, says: str) -> None:
    """Its whole path is said, and nothing that stands in it."""
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CertificateError, match=says) as caught:
        password_from_file(str(path), "--key-password-file")
    assert str(path) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_first_line_that_a_program_prints() -> None:
    """Words are split as a shell does it, and nothing else of a shell happens."""
    assert password_from_command("printf '%s\\n' 'correct  horse' second", "x") == b"correct  horse"
    assert password_from_command("echo $HOME;true", "x") == b"$HOME;true"


def test_a_program_that_fails(tmp_path: Path) -> None:
    """Its exit code and its last words are said, never what it printed."""
    found = refusal(python("import sys; print('hunter2'); sys.stderr.write('a\\nno such entry\\n'); sys.exit(3)"))
    assert found.what == f"{sys.executable} failed with the exit code 3: no such entry"
    assert "hunter2" not in found.what


def test_a_program_that_prints_nothing() -> None:
    """An empty first line is no password."""
    assert refusal("true").what == "true printed nothing"
    assert refusal("echo").what == "echo printed nothing"


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    """Not there, or not executable."""
    assert refusal("no-such-program x").what == "no-such-program cannot be started: No such file or directory"
    (tmp_path / "script").write_text("echo x")
    assert refusal(str(tmp_path / "script")).what.endswith("cannot be started: Permission denied")


def test_words_that_cannot_be_split() -> None:
    """A quotation mark that is open, or no word at all."""
    assert "No closing quotation" in refusal("echo 'x").what
    assert refusal(" ").what == "names no program"


def test_a_program_that_asks_finds_nobody() -> None:
    """Its standard input is empty."""
    assert refusal(python("input()")).what.endswith("EOFError: EOF when reading a line")


def test_a_program_that_takes_too_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is ended, and the limit is named."""
    monkeypatch.setattr(passwords, "PATIENCE", 1.0)
    pid = tmp_path / "pid"
    # A shell, which has begun long before the second is over, where an interpreter may not have.
    command = shlex.join(["sh", "-c", f"echo $$ >{shlex.quote(str(pid))}; exec sleep 60"])
    assert refusal(command).what == "sh printed no password within 1 seconds"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
