"""A text as each format has to have it, so that the format's own reader gets that text again.

What a format has no way to write at all is refused (`holds`), before a line is written.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable

#: What a line-based file cannot have inside of a value; NUL no variable of the environment can.
_LINE = re.compile(r"[\n\r\0]")
_NUL = re.compile(r"\0")
#: uWSGI replaces names in parentheses behind a percent sign, and there is no way to write one (2.0.30).
_UWSGI = re.compile(r"[\n\r\0]|%\(")

#: What a value for the target cannot have.
_IMPOSSIBLE = {
    "procfile": _LINE,
    "dockerfile": _LINE,
    "uwsgi-ini": _UWSGI,
    # Their variables stand in a comment, as a command of one line.
    "hypercorn-toml": _LINE,
    "nginx": _LINE,
    "apache": _LINE,
    "haproxy": _LINE,
    "caddy": _LINE,
}


def holds(target: str, value: str) -> bool:
    """Whether a file for ``target`` can hold ``value``."""
    return _IMPOSSIBLE.get(target, _NUL).search(value) is None


def shell(assignment: str) -> str:
    """``NAME=value`` for a shell."""
    name, _, value = assignment.partition("=")
    return f"{name}={shlex.quote(value)}"


def _escaped(value: str, more: str, write: Callable[[str], str]) -> str:
    """As a double-quoted string of JSON, whose characters beyond ASCII stand as they are.

    Arguments:
        more: a class of characters that the format wants escaped as well.
        write: how such a one is written.
    """
    return re.sub(more, lambda found: write(found[0]), json.dumps(value, ensure_ascii=False))


def yaml(value: str) -> str:
    """As YAML's double-quoted style (1.2, section 7.3.1); what is not printable there is escaped (section 5.1).

    JSON's own escapes for characters beyond U+FFFF, which are surrogates, YAML does not know.
    """
    return _escaped(value, "[\x7f-\x84\x86-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda one: f"\\u{ord(one):04x}")


def compose(value: str) -> str:
    """For a compose file, which interpolates ``$NAME``."""
    return yaml(value.replace("$", "$$"))


def kubernetes(value: str) -> str:
    """For a container's env and args, where ``$(NAME)`` is replaced, and ``$$`` stands for ``$``."""
    return yaml(value.replace("$", "$$"))


def toml(value: object) -> str:
    """As TOML 1.0: a basic string, a number, a boolean, or a list of them, which are those of JSON but for DEL."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return _escaped(value, "\x7f", lambda one: "\\u007f") if isinstance(value, str) else json.dumps(value)


def docker(value: str) -> str:
    """The value of a Dockerfile's ENV: in double quotes a backslash escapes itself, the quote and ``$``."""
    return '"' + re.sub(r'[\\"$]', r"\\\g<0>", value) + '"'


def unit(assignment: str, *, specifiers: bool = False) -> str:
    """``NAME=value`` for Environment= of a systemd unit (systemd.exec(5), systemd.syntax(7)).

    Arguments:
        specifiers: whether ``%`` begins one, rather than being meant.
    """
    text = assignment if specifiers else assignment.replace("%", "%%")
    text = re.sub(r'[\\"]', r"\\\g<0>", text)
    return '"' + re.sub("[\x01-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02x}", text) + '"'


def unit_word(word: str) -> str:
    """A word of a unit's command line (systemd.service(5), "Command lines")."""
    if re.fullmatch(r"[\w./+:=@,][\w./+:=@,-]*", word):
        return word
    return unit(word.replace("$", "$$"))


#: Characters that begin something in uWSGI's files -> the placeholder that stands for them.
_PLACEHOLDERS = {"$": "dollar", "@": "at"}


def uwsgi(text: str) -> str:
    """The value of an option in uWSGI's ini file; see `uwsgi_placeholders`."""
    text = re.sub(r"([$@])(?=\()", lambda found: f"%({_PLACEHOLDERS[found[1]]})", text.replace("%", "%%"))
    return f"{text}%(end)" if text != text.rstrip() else text


def uwsgi_placeholders(text: str) -> list[str]:
    """The lines that a file with ``text``, made of what `uwsgi` returns, needs before it."""
    needed = {"dollar": "$", "at": "@", "end": ""}
    return [f"set-placeholder = {name}={value}" for name, value in needed.items() if f"%({name})" in text]
