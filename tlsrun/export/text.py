"""Pieces that exported files share: comments, commands, blocks, durations."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable

from tlsrun.deciding.plan import Plan
from tlsrun.errors import NOT_IN_A_LINE
from tlsrun.export.quoting import shell

#: Mozilla's groups that every OpenSSL since 1.1.0 has. X25519MLKEM768 needs 3.5, and nginx and Apache do not start with
#: a group that OpenSSL does not know.
GROUPS = ("X25519", "prime256v1", "secp384r1")

_WIDTH = 100


def comment(*paragraphs: str, mark: str = "#") -> str:
    """Paragraphs as comment lines. One that begins with a space is a command and is not wrapped.

    Arguments:
        mark: the characters that begin a comment.
    """
    lines: list[str] = []
    for paragraph in paragraphs:
        if paragraph.startswith(" "):
            lines += [line.rstrip() for line in paragraph.split("\n")]
        else:
            paragraph = in_a_line(" ".join(paragraph.split()))
            lines += textwrap.wrap(paragraph, _WIDTH, break_long_words=False, break_on_hyphens=False) or [""]
        lines.append("")
    return "\n".join(f"{mark} {line}".rstrip() for line in lines[:-1]) + "\n"


def in_a_line(text: str) -> str:
    """``text`` with a question mark for everything that could end a line."""
    return NOT_IN_A_LINE.sub("?", text)


def command(words: Iterable[str], variables: Iterable[str] = ()) -> str:
    """A command as a paragraph of a comment: its variables first, wrapped with backslashes for a shell."""
    shown = [*map(shell, variables), *(shlex.quote(word) for word in words)]
    lines, line = [], "   "
    for word in shown:
        if len(line) + len(word) > _WIDTH - 3 and line.strip():
            lines.append(f"{line} \\")
            line = "       "
        line += f" {word}"
    return "\n".join([*lines, line])


def after_options(word: str) -> list[str]:
    """An argument for `tlsrun run`, preceded by ``--`` if it would be read as an option."""
    return ["--", word] if word.startswith("-") else [word]


def duration(seconds: float) -> str:
    """Seconds as nginx and HAProxy take them: as a whole number of seconds or milliseconds."""
    return f"{seconds:g}s" if seconds == int(seconds) else f"{max(1, round(seconds * 1000))}ms"


def block(lines: Iterable[str], indent: str = "    ") -> str:
    """Lines inside a block, each with its newline; empty lines stay empty."""
    return "".join(f"{indent}{line}".rstrip() + "\n" for line in lines)


def guideline(plan: Plan) -> str:
    """Which of Mozilla's recommendations the TLS settings follow, for a comment."""
    return f"Mozilla's {plan.profile} profile, guideline 6.0"
