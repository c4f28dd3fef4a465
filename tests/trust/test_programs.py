"""Programs are run to their end, and never left waiting for an answer."""

from __future__ import annotations

import pytest

from tlsrun.trust import programs
from tlsrun.trust.programs import run


def test_both_streams_and_the_code() -> None:
    """What a program says last is why it failed."""
    ended = run(("sh", "-c", "echo one; echo two >&2; exit 3"))
    assert (ended.code, ended.ok, ended.last_words) == (3, False, "two")
    assert run(("true",)).ok
    assert run(("false",)).last_words == "exit code 1"


def test_a_program_that_is_not_there() -> None:
    """Is no traceback."""
    ended = run(("no-such-program",))
    assert ended.code is None
    assert ended.last_words == "no-such-program: No such file or directory"


def test_nobody_answers() -> None:
    """Its input is empty, and it has no terminal to ask at."""
    assert run(("sh", "-c", "read answer || echo nobody")).output == "nobody\n"
    assert run(("sh", "-c", "echo x > /dev/tty")).code != 0


def test_a_program_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is ended, and said."""
    monkeypatch.setattr(programs, "PATIENCE", 0.5)
    assert "did not end within" in run(("sleep", "30")).last_words


def test_messages_can_be_read_by_us() -> None:
    """In no other language."""
    assert run(("sh", "-c", "echo $LC_ALL")).output == "C\n"
