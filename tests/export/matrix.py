"""What each setting means to each target of `tlsrun export`: the table, and values to try it with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from tests.support.certs import Pair, Paths
from tlsrun import export
from tlsrun.cli.main import tlsrun
from tlsrun.export.notes import FRONTS
from tlsrun.settings.table import SPECS, environment_variable, flag

#: target and form, as the columns of the table have them.
COLUMNS = [(name, form) for name in export.TARGETS for form in (export.load(name).forms or [""])]
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
profile                E E  E E  E N  E  E R E R  E N N  R E E E
min_version            E E  E E  E N  E  E R E R  E N N  R E E E
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
redirect_port          E E  E E  E E  E  E R R R  E N N  R E E E
hosts                  E E  E E  E N  E  E R R R  E E E  E E E E
acme_webroot           E E  E E  R N  R  E R R R  E N N  R R E R
hsts                   E E  E E  E R  E  E E E E  E E E  E E E E
trusted_proxies        E E  N N  E E  N  E E E E  E E E  E E E E
proxy                  N N  N N  N N  N  E E E E  E E E  E E E E
redirect_exempt        N N  N N  N N  N  E E E E  E E E  E E E E
proxy_drops_underscores N N  N N  N N  N  E E E E  E E E  E E E E
proxy_protocol         E E  R R  E E  R  E R R R  E N N  R E E E
user                   R R  R R  R N  R  E E E R  E E E  R R R R
group                  R R  R R  R N  R  E E E R  E E E  R R R R
handshake_timeout      E E  E E  N E  E  E R R E  E N N  R E E E
server_options         R R  R R  R N  R  R R R R  E R R  R E E E
"""
ANSWERS: Mapping[tuple[str, str], Mapping[str, str]] = {
    column: {line.split()[0]: line.split()[1 + number] for line in _TABLE.split("\n") if line}
    for number, column in enumerate((name, form) for name, forms in _HEADS.items() for form in forms)
}


def settings_with(column: tuple[str, str], answer: str) -> list[str]:
    """The settings of a column that have this answer, in the table's order."""
    return [name for name, given in ANSWERS[column].items() if given == answer]


@dataclass(frozen=True, kw_only=True)
class Files:
    """What the settings name.

    Arguments:
        own, shop: the default certificate, and one by SNI.
        renewed: for the names of ``own``.
        alice, bob: clients; Bob's certificate is revoked.
    """

    folder: Path
    own: Paths
    renewed: Pair
    shop: Paths
    alice: Paths
    bob: Paths
    clients: Path
    lists: Path


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
              "client_facts": ["--client-facts"],
              "proxy_drops_underscores": ["--proxy-drops-underscores"],
              "proxy_protocol": ["--proxy-protocol"]}  # fmt: skip
    return words


#: What a setting says nothing without.
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "client_auth": ("client_ca",), "client_crl": ("client_ca",), "client_facts": ("client_ca",),
    "acme_webroot": ("redirect_port",), "redirect_port": ("port",),
    "proxy": ("trusted_proxies",), "redirect_exempt": ("trusted_proxies",),
    "proxy_protocol": ("trusted_proxies",), "proxy_drops_underscores": ("trusted_proxies",),
    "key_password": ("cert", "key"), "key_password_file": ("cert", "key"),
    "key_password_command": ("cert", "key"), "chain": ("cert", "key"), "key": ("cert",), "cert": ("key",),
    "sni": ("user",), "group": ("user",),
}  # fmt: skip


def needed(column: tuple[str, str]) -> list[str]:
    """What the target cannot do without."""
    name, form = column
    if column == ("haproxy", "tls"):
        return []
    has_one = export.load(name).names_files(form) or name == "caddy"
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


#: What contradicts others of the samples.
NARROW = ("bind", "profile", "min_version")
