"""A text as each format has to have it, so that the format's own reader gets that text again.

What a format has no way to write at all is refused (`holds`), before a line is written.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable

#: Control characters, and what ends a line to some readers. The tab is none.
_ENDS = r"\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029"
#: Bytes of a file's name that are no UTF-8, as Python has them: the files are UTF-8. NUL no environment can hold.
_NO_TEXT = r"\0\ud800-\udfff"
#: What a line-based file cannot have inside of a value.
_LINE = re.compile(f"[{_ENDS}{_NO_TEXT}]")
_NUL = re.compile(f"[{_NO_TEXT}]")
#: uWSGI replaces names in parentheses behind a percent sign, and there is no way to write one (2.0.30).
_UWSGI = re.compile(rf"[{_ENDS}{_NO_TEXT}]|%\(")

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


#: What a path for the target cannot have, where the program itself reads it, besides.
#: nginx replaces names behind a dollar sign, Apache those in braces behind one; Apache takes a folder with wildcards
#: for several; Caddy replaces what is in braces, and has one way to write quotes and another for backslashes; uWSGI's
#: `https` has commas between its parts; systemd's LoadCredential= ends at a space, and a line goes on behind a
#: backslash at its end; compose divides at colons; gunicorn strips its settings.
_IN_A_PATH = {
    "nginx": re.compile(r"\$"),
    "apache": re.compile(r"\$\{"),
    "apache webroot": re.compile(r"\$\{|[*?\[\]]"),
    "caddy": re.compile(r"[{}]|`.*\\|\\.*`"),
    "uwsgi-ini native": re.compile(r","),
    "systemd": re.compile(rf"[{_ENDS}]|[ \t\\]$"),
    "compose": re.compile(r":"),
    "gunicorn-conf": re.compile(r"\s$"),
    "kubernetes": re.compile(f"[{_ENDS}]"),  # a command of a comment has it
}


def holds_path(target: str, path: str, kind: str = "") -> bool:
    """Whether a file for ``target`` can name ``path`` to its program.

    Arguments:
        kind: the file's form, or what the path is of, where that makes a difference.
    """
    forbidden = _IN_A_PATH.get(f"{target} {kind}") or _IN_A_PATH.get(target)
    return holds(target, path) and (forbidden is None or not forbidden.search(path))


def nginx(path: str) -> str:
    """A parameter of a directive: in double quotes a backslash escapes itself and the quote (ngx_conf_read_token)."""
    return path if _is_plain(path) else '"' + re.sub(r'[\\"]', r"\\\g<0>", path) + '"'


def apache(path: str) -> str:
    """An argument of a directive, always in double quotes (ap_getword_conf)."""
    return '"' + re.sub(r'[\\"]', r"\\\g<0>", path) + '"'


def haproxy(path: str) -> str:
    """A word, in strong quotes where it takes some: nothing is special in them (HAProxy, "Quoting and escaping")."""
    return path if _is_plain(path) else "'" + path.replace("'", "'\\''") + "'"


def caddy(path: str) -> str:
    """A token: in double quotes a backslash escapes the quote alone, in backquotes nothing (Caddyfile, "Tokens")."""
    if _is_plain(path):
        return path
    return f"`{path}`" if "\\" in path else '"' + path.replace('"', '\\"') + '"'


def specifiers(text: str) -> str:
    """In a systemd unit, where ``%`` begins a specifier (systemd.unit(5), "Specifiers")."""
    return text.replace("%", "%%")


def _is_plain(path: str) -> bool:
    return re.fullmatch(r"[\w./@+=~-]+", path) is not None


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
    """As YAML's double-quoted style (1.2, section 7.3.1); what is not printable there is escaped (section 5.1), and
    what ends a line in YAML 1.1, which many readers still have it do.

    JSON's own escapes for characters beyond U+FFFF, which are surrogates, YAML does not know.
    """
    return _escaped(value, "[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda one: f"\\u{ord(one):04x}")


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


def unit(assignment: str, *, with_specifiers: bool = False) -> str:
    """``NAME=value`` for Environment= of a systemd unit (systemd.exec(5), systemd.syntax(7)).

    Arguments:
        with_specifiers: whether ``%`` begins one, rather than being meant.
    """
    text = assignment if with_specifiers else specifiers(assignment)
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
