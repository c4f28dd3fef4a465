"""Small things that files are made of."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterable

from tlsrun.export.quoting import shell

_WIDTH = 100
#: Control characters, and what ends a line to some readers.
_ENDS_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def comment(*paragraphs: str, mark: str = "#") -> str:
    """Paragraphs as comment lines. One that begins with a space is a command, and is never broken.

    Arguments:
        mark: what begins a comment.
    """
    lines: list[str] = []
    for paragraph in paragraphs:
        if paragraph.startswith(" "):
            lines += [line.rstrip() for line in paragraph.split("\n")]
        else:
            paragraph = _ENDS_A_LINE.sub("?", " ".join(paragraph.split()))
            lines += textwrap.wrap(paragraph, _WIDTH, break_long_words=False, break_on_hyphens=False) or [""]
        lines.append("")
    return "\n".join(f"{mark} {line}".rstrip() for line in lines[:-1]) + "\n"


def command(words: Iterable[str], variables: Iterable[str] = ()) -> str:
    """A command as a paragraph of a comment: its variables first, broken into lines as a shell takes them."""
    shown = [*map(shell, variables), *(shlex.quote(word) for word in words)]
    lines, line = [], "   "
    for word in shown:
        if len(line) + len(word) > _WIDTH - 3 and line.strip():
            lines.append(f"{line} \\")
            line = "       "
        line += f" {word}"
    return "\n".join([*lines, line])


def after_options(word: str) -> list[str]:
    """An argument of `tlsrun run`, which is none of its options whatever it begins with."""
    return ["--", word] if word.startswith("-") else [word]


def duration(seconds: float) -> str:
    """Seconds as nginx and HAProxy take them: without fractions."""
    return f"{seconds:g}s" if seconds == int(seconds) else f"{max(1, round(seconds * 1000))}ms"


def block(lines: Iterable[str], depth: int = 1, indent: str = "    ") -> str:
    """Lines inside a block, each with its newline; empty lines stay empty."""
    return "".join(f"{indent * depth}{line}".rstrip() + "\n" for line in lines)
