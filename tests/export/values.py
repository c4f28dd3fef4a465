"""Awkward values: which there are, what each format cannot say, and exported files that have them in every setting."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tests.export import fronts
from tests.export.matrix import ANSWERS
from tests.support.certs import Authority
from tests.support.clients import free_port
from tlsrun.cli.main import tlsrun
from tlsrun.settings.table import flag

Column = tuple[str, str]

VALUES = (
    "yes", "null", "~", "123", "1e3", "-v", "#x", "!&*@|<>", "[x]", "{x}", "{$NONE}", "{env.HOME}", 'a"b', "a'b", "a`b",
    "a\\b", "a\\nb", "a\\", "\\\"'", "$NONE", "${NONE}", "$$", "$(id)", "100%", "%h", "%%", "%(home)", "@(x)", "a b",
    "a    b", "a ", "a,b", "a:b", "a: b", "a #b", "a;b=c", "grüße 日本 \U0001f511", "a\tb", "a\nb", "a\x85b",
    "a\u2028b", "x y;z{#}'%q grüße",
)  # fmt: skip
#: At the end of a text they may mean something else.
LAST = ("a\\", "a ", "-v", "$", "'")

#: Control characters, and what ends a line to some readers.
ENDS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")

#: Lines of the file, or of a command in its comment, hold the values.
_OF_LINES = ("nginx", "apache", "haproxy", "caddy", "uwsgi-ini", "hypercorn-toml", "procfile", "dockerfile")
_TEXTS = ("key_password_command", "redirect_exempt", "server_options", "app")
#: The files that a setting names, or a folder has.
_FILES = ("cert", "key", "client_ca", "client_crl", "key_password_file", "chain")


def unsaid(column: Column, name: str, text: str) -> bool:
    """Whether the format has no way to say it: all else must arrive.

    Arguments:
        name: of a setting; ``app`` for the application.
    """
    target = column[0]
    if (target in _OF_LINES and ENDS.search(text)) or (target == "uwsgi-ini" and "%(" in text):
        return True
    if name == "chain":
        return ":" in text
    if name in _TEXTS:
        return False
    if target == "nginx":
        return "$" in text
    if target == "apache":
        return "${" in text or (name == "acme_webroot" and any(one in text for one in "*?[]"))
    if target == "caddy":
        return any(one in text for one in "{}") or ("`" in text and "\\" in text)
    if column == ("uwsgi-ini", "native"):
        return "," in text
    if target == "systemd" and name in ("cert", "key", "key_password_file"):
        return bool(ENDS.search(text)) or text.endswith((" ", "\\"))
    if target == "compose":
        return ":" in text
    if target == "gunicorn-conf":
        return name in _FILES and text != text.rstrip()
    return target == "kubernetes" and bool(ENDS.search(text))


def packs(column: Column, name: str, whole: str = "/") -> list[list[str]]:
    """All values that the format can say, as few lists as there can be.

    Arguments:
        whole: what stands between them.
    """
    found: list[list[str]] = [[]]
    for value in VALUES:
        if unsaid(column, name, value) or (name == "redirect_exempt" and not is_one_path(value)):
            continue
        for pack in found:
            if not unsaid(column, name, whole.join([*pack, value])):
                pack.append(value)
                break
        else:
            found.append([value])
    ends = [value for value in LAST if not unsaid(column, name, value)]
    return found + [[*found[0], value] for value in ends if not unsaid(column, name, whole.join([*found[0], value]))]


def is_one_path(value: str) -> bool:
    """Whether `redirect_exempt` takes it: its values are divided at commas and spaces."""
    return not re.search(r"[\s,*?#]", value)


@dataclass(frozen=True, kw_only=True)
class Given:
    """What is asked for.

    Arguments:
        words: of the command line, by setting.
        expected: the values that a program is to be told, by setting.
        app: the application.
    """

    words: Mapping[str, list[str]]
    expected: Mapping[str, Any]
    app: str


def make_files(ca: Authority, project: Path, folder: Path) -> dict[str, Path]:
    """The files that are copied to awkward places, and an application with arguments."""
    (project / "inapp.py").write_text("def make(*texts):\n    from inwsgi import app\n    return app\n")
    pair = ca.leaf(["localhost", "example.org"]).write(folder)
    shop = ca.leaf(["shop.example"]).write(folder / "shop")
    (folder / "ca.pem").write_bytes(ca.root_pem + b"".join(ca.intermediate_pems))
    (folder / "crl.pem").write_bytes(ca.crl() + ca.crl(level=0))
    (folder / "password").write_text("secret\n")
    return {
        "cert": pair.fullchain, "key": pair.key, "client_ca": folder / "ca.pem", "client_crl": folder / "crl.pem",
        "key_password_file": folder / "password", "chain": pair.chain, "sites": shop.fullchain.parent,
    }  # fmt: skip


def given(column: Column, values: Mapping[str, Sequence[str]], own: Mapping[str, Path], place: Path) -> Given:
    """Each setting that takes free text, with its values: as folders of a path, as words, as parts of a text.

    Arguments:
        values: by setting; those that are not there are left out.
        own: see `make_files`.
        place: a folder for the files.
    """
    expected: dict[str, Any] = {}
    for name in _FILES:
        path = place.joinpath(name, *values.get(name, ()))
        if name in values:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(own[name], path)
        expected[name] = str(path)
    for name in ("acme_webroot", "sni"):
        expected[name] = str(place.joinpath(name, *values.get(name, ())))
    if "sni" in values:
        shutil.copytree(own["sites"], Path(expected["sni"], "shop.example"), dirs_exist_ok=True)
    if "acme_webroot" in values:
        Path(expected["acme_webroot"]).mkdir(parents=True, exist_ok=True)
    command = ["sh", "-c", "echo secret", *values.get("key_password_command", ())]
    expected["key_password_command"] = shlex.join(command)
    expected["redirect_exempt"] = [f"/{value}" for value in values.get("redirect_exempt", ())]
    expected["server_options"] = {"proc_name": "/".join(values.get("server_options", ()))}
    words = {name: [str(flag(name)), str(text)] for name, text in expected.items()}
    words["redirect_exempt"] = [word for one in expected["redirect_exempt"] for word in ("--redirect-exempt", one)]
    words["server_options"] = ["--server-options", json.dumps(expected["server_options"])]
    kept = [name for name in words if name in values and words[name]]
    return Given(words={name: words[name] for name in kept}, expected=expected,
                 app=f"inapp:make{(*values.get('app', ()), '')!r}")  # fmt: skip


def asked(column: Column) -> list[str]:
    """The settings with free text that take effect in such a file."""
    names = [
        name for name in (*_FILES, "sni", "acme_webroot", *_TEXTS) if name == "app" or ANSWERS[column][name] == "E"
    ]
    if "key_password_file" in names:
        names.remove("key_password_command")
    if column == ("systemd", "tls"):  # an account of the service's own reads no more keys
        names.remove("sni")
    return names


def exported(column: Column, asking: Given, own: Mapping[str, Path], place: Path) -> Result:
    """`tlsrun export` with them, and what they need; in the folder that has the application."""
    (target, form), words = column, dict(asking.words)
    more: list[str] = ["--upstream", form] if form else []
    for name in ("cert", "key"):
        if name not in words and (ANSWERS[column][name] == "E" or "key_password_command" in words):
            words[name] = [str(flag(name)), str(own[name])]
    if "acme_webroot" in words or target in fronts.FRONTS:
        more += ["--redirect-port", str(free_port())]
    if "redirect_exempt" in words:
        more += ["--trusted-proxies", "10.0.0.1"]
        more += ["--proxy-drops-underscores"] if column == ("uwsgi-ini", "native") else []
    if "client_crl" in words and "client_ca" not in words:
        words["client_ca"] = ["--client-ca", str(own["client_ca"])]
    if target == "kubernetes" and "hosts" not in words:
        more += ["--hosts", "example.org"]
    if target in (*fronts.FRONTS, "uwsgi-ini"):
        more += ["--socket", f"{place}/s", "--certificates", str(place)]
    if target in (*fronts.FRONTS, "uwsgi-ini", "gunicorn-conf", "hypercorn-toml"):
        more += ["--host", "127.0.0.1", "--port", str(free_port())]
    if target == "hypercorn-toml":
        more += ["--no-client-facts"]
    flat = [word for one in words.values() for word in one]
    return CliRunner().invoke(tlsrun, ["export", target, *flat, *more, "--", asking.app])
