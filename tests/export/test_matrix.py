"""Every setting in every file: it takes effect, is refused, or stands there as a note; and no other way is left.

E: takes effect, seen with the program that reads the file. R: is refused, and nothing is written. N: is said in a note.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import tomllib
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tests.export import fronts
from tests.support.certs import NOW, Authority, Paths
from tests.support.clients import Response, client_context, facts, free_port, https_get
from tests.support.process import Server, eventually, run
from tlsrun import export
from tlsrun.cli.main import tlsrun
from tlsrun.export.notes import FRONTS
from tlsrun.settings.layers import environment_layer, resolve
from tlsrun.settings.table import SPECS, Settings, environment_variable, flag

#: target and form, as the columns of the table have them.
COLUMNS = [(name, form) for name in export.TARGETS for form in (export.load(name).FORMS or [""])]
_HEADS = {
    "nginx": ["http", "uwsgi"], "apache": ["wsgi", "proxy"], "haproxy": ["http", "tls"], "caddy": ["http"],
    "uwsgi-ini": ["edge", "native"], "gunicorn-conf": [""], "hypercorn-toml": [""],
    "systemd": ["tls", "http", "uwsgi"], "procfile": [""], "dockerfile": [""], "compose": [""], "kubernetes": [""],
}  # fmt: skip

#: nginx, apache, haproxy; caddy; uwsgi-ini, gunicorn-conf, hypercorn-toml; systemd; procfile, dockerfile, compose,
#: kubernetes.
_TABLE = """
cert                   E E  E E  E N  E  E E E E  E N N  R N E R
key                    E E  E E  E N  E  E E E E  E N N  R N E R
key_password           R R  R R  R N  R  R R R R  N N N  R N N R
key_password_file      R R  R R  R N  R  R R R R  E N N  R R R R
key_password_command   R R  R R  R N  R  R R R R  E N N  R E E R
chain                  R R  R R  R N  R  R R R R  E N N  R R R R
server                 E N  N R  E N  E  N N N N  E E N  N E E E
host                   E E  E E  E E  E  E E E E  E N N  N E R R
port                   E E  E E  E E  E  E E E E  E N N  N E E E
bind                   R R  R R  R R  R  R R R R  E N N  R R R R
workers                E E  E E  E N  E  E E E E  E E E  E E E E
threads                E E  E E  E N  E  E E E E  E E E  E E E E
http                   E E  E E  E N  E  E E E E  E N N  R E E E
profile                E E  E E  E N  E  E E E R  E N N  R E E E
min_version            E E  E E  E N  E  E E E R  E N N  R E E E
max_version            E E  E E  E N  E  E R E R  E N N  R E E E
ciphers                E E  E E  E N  E  E E E E  E N N  R E E E
groups                 E E  E E  E N  E  E R R R  E N N  R E E E
context_hook           R R  R R  R N  R  R R R R  E N N  R E E E
reload                 N N  N N  N N  N  E N N N  E N N  N E E E
sni                    E E  E E  E R  E  E E E R  E N N  R R R R
sni_strict             E E  R R  E N  E  E R E R  E N N  R E E E
client_ca              E E  E E  E R  E  E E E E  E E N  R E E E
client_auth            E E  E E  E R  E  E E E E  E E N  R E E E
client_crl             E E  E E  E R  R  E R E R  E N N  R E E R
client_facts           E E  E E  E N  E  E E E R  E N N  N E E E
redirect_port          E E  E E  E E  E  E E R R  E N N  R E E E
hosts                  E E  E E  E N  E  E R R R  E E E  E E E E
acme_webroot           E E  E E  R N  R  E R R R  E N N  R R E R
hsts                   E E  E E  E R  E  E E E E  E E E  E E E E
trusted_proxies        E E  N N  E E  N  E E E E  E E E  E E E E
proxy                  N N  N N  N N  N  E E E E  E E E  E E E E
redirect_exempt        N N  N N  N N  N  E E E E  E E E  E E E E
proxy_protocol         E E  R R  E E  R  E R R R  E N N  R E E E
user                   R R  R R  R N  R  E E E E  E E E  R R R R
group                  R R  R R  R N  R  E E E E  E E E  R R R R
handshake_timeout      E E  E E  E E  E  E R R E  E N N  R E E E
server_options         R R  R R  R N  R  R R R R  E R R  R E E E
"""
ANSWERS: Mapping[tuple[str, str], Mapping[str, str]] = {
    column: {line.split()[0]: line.split()[1 + number] for line in _TABLE.split("\n") if line}
    for number, column in enumerate((name, form) for name, forms in _HEADS.items() for form in forms)
}


def settings_with(column: tuple[str, str], answer: str) -> list[str]:
    """The settings of a column that have this answer, in the table's order."""
    return [name for name, given in ANSWERS[column].items() if given == answer]


def test_the_table_is_whole() -> None:
    """A new setting, target or form needs an answer here."""
    assert list(ANSWERS) == COLUMNS
    for column, answers in ANSWERS.items():
        assert list(answers) == list(SPECS), column
        assert set(answers.values()) <= set("ERN"), column


# -- what is given ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Files:
    """What the settings name.

    Arguments:
        own, shop: the default certificate, and one by SNI.
        alice, bob: clients; Bob's certificate is revoked.
    """

    folder: Path
    own: Paths
    shop: Paths
    alice: Paths
    bob: Paths
    clients: Path
    lists: Path


@pytest.fixture(scope="module")
def files(ca: Authority, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Made once; where a server of another account can read them."""
    folder = tmp_path_factory.mktemp("matrix")
    clients = ca.leaf("alice@example.org", client=True), ca.leaf("bob@example.org", client=True)
    shop = ca.leaf(["shop.example"]).write(folder / "sites" / "shop.example")
    (folder / "clients-ca.pem").write_bytes(ca.root_pem + b"".join(ca.intermediate_pems))
    (folder / "password").write_text("secret\n")
    challenge = folder / "webroot" / ".well-known" / "acme-challenge"
    challenge.mkdir(parents=True)
    (challenge / "token").write_text("proof")
    lists = [_list(ca, number, revoked=clients[1].certificate if number else None) for number in (0, 1)]
    (folder / "lists.pem").write_bytes(b"".join(lists))
    (project / "hooks.py").write_text("def adapt(settings, make):\n    return make()\n")
    return Files(
        folder=folder, own=ca.leaf(["localhost", "example.org", "127.0.0.1"]).write(folder / "own"), shop=shop,
        alice=clients[0].write(folder / "alice"), bob=clients[1].write(folder / "bob"),
        clients=folder / "clients-ca.pem", lists=folder / "lists.pem",
    )  # fmt: skip


def _list(ca: Authority, number: int, *, revoked: x509.Certificate | None) -> bytes:
    """The revocation list of an authority: the root is 0."""
    issuer, key = ca.line[number]
    made = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(NOW)
    made = made.next_update(NOW + datetime.timedelta(days=30))
    if revoked is not None:
        entry = x509.RevokedCertificateBuilder().serial_number(revoked.serial_number).revocation_date(NOW).build()
        made = made.add_revoked_certificate(entry)
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def samples(column: tuple[str, str], files: Files) -> dict[str, list[str]]:
    """A value other than the default for each setting, as words of the command line; a secret's as its variable."""
    given = {
        "cert": str(files.own.fullchain),
        "key": str(files.own.key),
        "key_password": "secret",
        "key_password_file": str(files.folder / "password"),
        "key_password_command": "echo secret",
        "chain": str(files.own.chain),
        "server": "hypercorn" if export.runs_tlsrun(*column) else "granian",
        "host": "127.0.0.1",
        "port": "8444",
        "bind": "127.0.0.1:8445",
        "workers": "2",
        "threads": "2",
        "http": "2" if column[0] == "procfile" else "1.1",
        "profile": "modern",
        "min_version": "1.3",
        "max_version": "1.2",
        "ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384",
        "groups": "prime256v1",
        "context_hook": "hooks:adapt",
        "sni": str(files.folder / "sites"),
        "client_ca": str(files.clients),
        "client_auth": "optional",
        "client_crl": str(files.lists),
        "redirect_port": "8081",
        "hosts": "localhost,example.org",
        "acme_webroot": str(files.folder / "webroot"),
        "hsts": "300",
        "trusted_proxies": "127.0.0.1" if column[0] not in ("apache", "caddy") else "203.0.113.7",
        "proxy": "cloudflare" if column[0] in FRONTS else "nginx",
        "redirect_exempt": "/health",
        "user": "nobody",
        "group": "daemon",
        "handshake_timeout": "2",
        "server_options": '{"backlog": 177}',
    }
    words = {name: [str(flag(name)), value] for name, value in given.items() if not SPECS[name].secret}
    words["key_password"] = [f"{environment_variable('key_password')}=secret"]
    words |= {"reload": ["--reload-certificates"], "sni_strict": ["--sni-strict"],
              "client_facts": ["--client-facts"], "proxy_protocol": ["--proxy-protocol"]}  # fmt: skip
    return words


#: What a setting says nothing without.
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "client_auth": ("client_ca",), "client_crl": ("client_ca",), "client_facts": ("client_ca",),
    "acme_webroot": ("redirect_port",), "proxy": ("trusted_proxies",), "redirect_exempt": ("trusted_proxies",),
    "proxy_protocol": ("trusted_proxies",), "key_password": ("cert", "key"), "key_password_file": ("cert", "key"),
    "key_password_command": ("cert", "key"), "chain": ("cert", "key"), "key": ("cert",), "cert": ("key",),
    "sni": ("user",), "group": ("user",),
}  # fmt: skip


def needed(column: tuple[str, str]) -> list[str]:
    """What the target cannot do without."""
    name, form = column
    if column == ("haproxy", "tls"):
        return []
    has_one = form in export.load(name).NEEDS_CERTIFICATE or name == "caddy"
    return ["hosts"] if name == "kubernetes" else ["cert", "key"] if has_one else []


def exported(column: tuple[str, str], names: list[str], files: Files, **changed: list[str]) -> Result:
    """`tlsrun export` with samples of these settings, what they need, and what the target needs."""
    name, form = column
    words = samples(column, files) | changed
    wanted = [*needed(column), *names]
    for one in names:
        # A needed setting that the target cannot have would be refused in place of the one that is asked about.
        wanted += [need for need in _NEEDS.get(one, ()) if ANSWERS[column][need] != "R"]
    given = [word for one in dict.fromkeys(wanted) for word in words[one] if not word.startswith("TLSRUN_")]
    env = dict(word.split("=", 1) for one in wanted for word in words[one] if word.startswith("TLSRUN_"))
    more = ["--machine", "127.0.0.1:1"] if form == "tls" and name == "haproxy" else []
    upstream = ["--upstream", form] if form else []
    return CliRunner().invoke(tlsrun, ["export", name, "inflask:app", *upstream, *given, *more], env=env)


@pytest.fixture
def in_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project is the working folder."""
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(project)


_column = pytest.mark.parametrize("column", COLUMNS, ids="-".join)


# -- refused, and noted ----------------------------------------------------------------------------------------------


@_column
@pytest.mark.usefixtures("in_project")
def test_refused(column: tuple[str, str], files: Files) -> None:
    """By its flag, in a line; and nothing is written."""
    for name in settings_with(column, "R"):
        done = exported(column, [name], files)
        spelled = flag(name) or environment_variable(name)
        assert done.exit_code == 2, (name, done.output)
        assert re.search(rf"^Error: {spelled}\b|^Error: {name} with", done.stderr, re.MULTILINE), (name, done.stderr)
        assert done.stdout == ""


@_column
@pytest.mark.usefixtures("in_project")
def test_noted(column: tuple[str, str], files: Files) -> None:
    """In the comment on top of the file, and as a warning."""
    noted = settings_with(column, "N")
    for names in ([name for name in noted if (name in _NARROW) is narrow] for narrow in (False, True)):
        if names:
            _assert_noted(column, names, files)


#: What contradicts others of the samples.
_NARROW = ("bind", "profile", "min_version")


def _assert_noted(column: tuple[str, str], names: list[str], files: Files) -> None:
    done = exported(column, names, files)
    assert done.exit_code == 0, done.stderr
    head = " ".join(line.lstrip("#; ") for line in done.stdout.splitlines() if line.startswith(("#", ";")))
    for name in names:
        spelled = flag(name) or f"{environment_variable(name)} in the environment"
        assert re.search(rf"{spelled}\b.{{0,40}}: ", head), (name, head)
        assert f"Warning: {spelled}" in done.stderr, (name, done.stderr)
