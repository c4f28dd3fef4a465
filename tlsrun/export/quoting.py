"""How each format quotes a text, so that its reader gets back exactly that text.

What a format cannot represent at all is refused (`holds`) before a line is written.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable

#: Control characters except the tab, and what some readers take for the end of a line.
_ENDS = r"\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029"
#: NUL, which no environment variable can hold, and surrogates, by which Python represents bytes that are not UTF-8.
_NO_TEXT = r"\0\ud800-\udfff"
#: What a value in a line-based file cannot contain.
_LINE = re.compile(f"[{_ENDS}{_NO_TEXT}]")
_NUL = re.compile(f"[{_NO_TEXT}]")
#: uWSGI expands ``%(name)`` and has no escape for it (2.0.30).
_UWSGI = re.compile(rf"[{_ENDS}{_NO_TEXT}]|%\(")

#: Target -> what its values cannot contain.
_IMPOSSIBLE = {
    "procfile": _LINE,
    "dockerfile": _LINE,
    "uwsgi-ini": _UWSGI,
    # Its variables are in a comment, in a command of one line.
    "hypercorn-toml": _LINE,
    "nginx": _LINE,
    "apache": _LINE,
    "haproxy": _LINE,
    "caddy": _LINE,
}


def holds(target: str, value: str) -> bool:
    """Whether a file for ``target`` can hold ``value``."""
    return _IMPOSSIBLE.get(target, _NUL).search(value) is None


#: Target, or target and form -> what else a path cannot contain that the program itself opens.
#: nginx expands ``$name``, Apache ``${name}`` and wildcards in a folder's name. Caddy expands braces, and can quote
#: either quotation marks or backslashes, not both. uWSGI's `https` option separates its parts by commas. systemd's
#: LoadCredential= loses spaces at its end, where a backslash continues the line. compose splits at colons, and gunicorn
#: strips its settings.
_IN_A_PATH = {
    "nginx": re.compile(r"\$"),
    "apache": re.compile(r"\$\{"),
    "apache webroot": re.compile(r"\$\{|[*?\[\]]"),
    "caddy": re.compile(r"[{}]|`.*\\|\\.*`"),
    "uwsgi-ini native": re.compile(r","),
    "systemd": re.compile(rf"[{_ENDS}]|[ \t\\]$"),
    "compose": re.compile(r":"),
    "gunicorn-conf": re.compile(r"\s$"),
    "kubernetes": re.compile(f"[{_ENDS}]"),  # it is in a command in the comment
}


def holds_path(target: str, path: str, kind: str = "") -> bool:
    """Whether a file for ``target`` can name ``path`` to its program.

    Arguments:
        kind: the file's form, or what the path is for, if that makes a difference.
    """
    forbidden = _IN_A_PATH.get(f"{target} {kind}") or _IN_A_PATH.get(target)
    return holds(target, path) and (forbidden is None or not forbidden.search(path))


def nginx(path: str) -> str:
    """A directive's parameter; in double quotes a backslash escapes itself and the quote (ngx_conf_read_token)."""
    return path if _is_plain(path) else '"' + re.sub(r'[\\"]', r"\\\g<0>", path) + '"'


def apache(path: str) -> str:
    """A directive's argument, always in double quotes (ap_getword_conf)."""
    return '"' + re.sub(r'[\\"]', r"\\\g<0>", path) + '"'


def haproxy(path: str) -> str:
    """A word, in single quotes if it needs any: nothing is special there (HAProxy, "Quoting and escaping")."""
    return path if _is_plain(path) else "'" + path.replace("'", "'\\''") + "'"


def caddy(path: str) -> str:
    """A token. A backslash escapes only the quote in double quotes, and nothing in backquotes (Caddyfile, "Tokens")."""
    if _is_plain(path):
        return path
    return f"`{path}`" if "\\" in path else '"' + path.replace('"', '\\"') + '"'


def specifiers(text: str) -> str:
    """For a systemd unit, where ``%`` begins a specifier (systemd.unit(5), "Specifiers")."""
    return text.replace("%", "%%")


def _is_plain(path: str) -> bool:
    return re.fullmatch(r"[\w./@+=~-]+", path) is not None


def shell(assignment: str) -> str:
    """``NAME=value`` for a shell."""
    name, _, value = assignment.partition("=")
    return f"{name}={shlex.quote(value)}"


def _escaped(value: str, more: str, write: Callable[[str], str]) -> str:
    """As a JSON string in which characters beyond ASCII are not escaped.

    Arguments:
        more: a regular expression for further characters to escape.
        write: returns the escape for one of them.
    """
    return re.sub(more, lambda found: write(found[0]), json.dumps(value, ensure_ascii=False))


def yaml(value: str) -> str:
    """As a double-quoted scalar (YAML 1.2, section 7.3.1).

    This escapes what is not printable in YAML 1.2 (section 5.1), and what ends a line in YAML 1.1, which many readers
    follow. YAML does not know JSON's surrogate pairs for characters beyond U+FFFF.
    """
    return _escaped(value, "[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda one: f"\\u{ord(one):04x}")


def compose(value: str) -> str:
    """For a compose file, which interpolates ``$NAME``."""
    return yaml(value.replace("$", "$$"))


def kubernetes(value: str) -> str:
    """For a container's env and args, where ``$(NAME)`` is expanded and ``$$`` stands for ``$``."""
    return yaml(value.replace("$", "$$"))


def toml(value: object) -> str:
    """A string, number, boolean or list of them in TOML 1.0, where only DEL differs from JSON."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return _escaped(value, "\x7f", lambda one: "\\u007f") if isinstance(value, str) else json.dumps(value)


def docker(value: str) -> str:
    """A value for ENV in a Dockerfile; in double quotes a backslash escapes itself, the quote and ``$``."""
    return '"' + re.sub(r'[\\"$]', r"\\\g<0>", value) + '"'


def unit(assignment: str, *, with_specifiers: bool = False) -> str:
    """``NAME=value`` for Environment= of a systemd unit (systemd.exec(5), systemd.syntax(7)).

    Arguments:
        with_specifiers: whether ``%`` in the value begins a specifier.
    """
    text = assignment if with_specifiers else specifiers(assignment)
    text = re.sub(r'[\\"]', r"\\\g<0>", text)
    return '"' + re.sub("[\x01-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02x}", text) + '"'


def unit_word(word: str) -> str:
    """A word of a unit's command line (systemd.service(5), "Command lines")."""
    if re.fullmatch(r"[\w./+:=@,][\w./+:=@,-]*", word):
        return word
    return unit(word.replace("$", "$$"))


#: Characters that are special before a parenthesis in uWSGI's files -> the placeholder that stands for them.
_PLACEHOLDERS = {"$": "dollar", "@": "at"}


def uwsgi(text: str) -> str:
    """An option's value for uWSGI's ini file, which also needs the lines of `uwsgi_placeholders`."""
    text = re.sub(r"([$@])(?=\()", lambda found: f"%({_PLACEHOLDERS[found[1]]})", text.replace("%", "%%"))
    return f"{text}%(end)" if text != text.rstrip() else text


def uwsgi_placeholders(text: str) -> list[str]:
    """The lines that must precede ``text``, in which values were written by `uwsgi`."""
    needed = {"dollar": "$", "at": "@", "end": ""}
    return [f"set-placeholder = {name}={value}" for name, value in needed.items() if f"%({name})" in text]
