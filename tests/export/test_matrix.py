"""Every setting in every file: it takes effect, is refused, or stands there as a note; and no other way is left.

E: takes effect, seen with the program that reads the file. R: is refused, and nothing is written. N: is said in a note.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tests.export import programs, reading
from tests.support.certs import NOW, Authority, Pair, Paths
from tests.support.clients import client_hello, facts, free_port
from tests.support.process import ROOT, Server, eventually, run
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


@pytest.fixture(scope="module")
def files(ca: Authority, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Made once; where a server of another account can read them."""
    folder = tmp_path_factory.mktemp("matrix")
    clients = ca.leaf("alice@example.org", client=True), ca.leaf("bob@example.org", client=True)
    names = ["localhost", "example.org", "127.0.0.1"]
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
        folder=folder, own=ca.leaf(names).write(folder / "own"), shop=shop, renewed=ca.leaf(names),
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


# -- in effect: fronts, and servers by their own commands --------------------------------------------------------------

_SERVED = [column for column in COLUMNS if column[0] in (*FRONTS, "uwsgi-ini", "gunicorn-conf", "hypercorn-toml")
           and column != ("haproxy", "tls")]  # fmt: skip
#: Started twice: with most settings, and with those that contradict them.
_SECOND = ("threads", "profile", "min_version", "proxy_protocol", "client_auth", "groups")
_ALWAYS = ("cert", "key", "host", "port", "client_ca")


def second(column: tuple[str, str]) -> list[str]:
    """The settings of the second start: TLS 1.3 only, required client certificates, a proxy that introduces clients."""
    names = [name for name in (*_ALWAYS, *_SECOND) if ANSWERS[column][name] == "E" and name != "client_auth"]
    return [*names, "trusted_proxies"] if "proxy_protocol" in names else names


def first(column: tuple[str, str]) -> list[str]:
    """All others."""
    more = settings_with(column, "E")
    kept = [name for name in more if name not in (*_SECOND, "user", "group") or name == "client_auth"]
    # Who is introduced is told by the second start.
    alone = {"trusted_proxies"} if column[0] in FRONTS else set()
    return [name for name in kept if name not in alone]


@pytest.fixture(params=_SERVED, ids="-".join)
def column(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Of a program that is started."""
    found: tuple[str, str] = request.param
    return found


@contextlib.contextmanager
def serving(
    column: tuple[str, str], names: list[str], place: Path, project: Path, files: Files, ca_file: Path
) -> Iterator[programs.Serving]:
    """The program, with the samples of these settings."""
    name, form = column
    port, plain = free_port(), free_port()
    words = samples(column, files) | {"port": ["--port", str(port)], "redirect_port": ["--redirect-port", str(plain)]}
    given = [word for one in names for word in words[one]]
    if name in FRONTS and "redirect_port" not in names:
        given += words["redirect_port"]  # their own default is 80
    if name == "hypercorn-toml":
        given += ["--no-client-facts"]
    upstream = ["--upstream", form] if form else []
    asking = [programs.python_of(column), "-m", "tlsrun", "export", name, "inflask:app", *upstream, *given,
              "--socket", place / "s", "--certificates", place]  # fmt: skip
    done = run(asking, cwd=project, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    introduced = "proxy_protocol" in names

    def ready(server: Server) -> programs.Serving:
        return programs.Serving(port=port, plain=plain, text=done.stdout, program=server, ca=ca_file,
                                client=files.alice, introduced=introduced)  # fmt: skip

    with programs.started(column, done.stdout, place, project, ready) as made:
        yield made


Probe = Callable[[programs.Serving, Files], None]


def seen(server: programs.Serving, path: str = "/", **headers: str) -> dict[str, str]:
    """What the application sees."""
    answer = server.ask(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    assert answer.status == 200, (answer, server.program.log())
    told: dict[str, str] = json.loads(answer.body)
    return told


def own_certificate(server: programs.Serving, files: Files) -> None:
    assert server.ask().tls.certificate == files.own.pair.der


def one_address(server: programs.Serving, files: Files) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.3", server.port), timeout=5).close()


def two_processes(server: programs.Serving, files: Files) -> None:
    met: set[str] = set()

    def both() -> bool:
        # At once: a front keeps a connection to one of them.
        with ThreadPoolExecutor(8) as pool:
            met.update(pool.map(lambda _: server.ask("/together").text.partition(" ")[2], range(8)))
        return len(met) == 2

    eventually(both, what="an answer of each worker")


def two_threads(server: programs.Serving, files: Files) -> None:
    """Three requests never meet: the third waits until one of them is over."""
    with ThreadPoolExecutor(3) as pool:
        answers = [answer.text for answer in pool.map(lambda _: server.ask("/together"), range(3))]
    assert all(answer.startswith("no ") for answer in answers), answers


def only_http_1(server: programs.Serving, files: Files) -> None:
    with server.connect() as tls:
        assert tls.selected_alpn_protocol() in (None, "http/1.1")


def no_tls_1_2(server: programs.Serving, files: Files) -> None:
    def older(context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2

    assert programs.refused(lambda: server.connect(adapt=older))
    assert server.ask().tls.version == "TLSv1.3"


def no_tls_1_3(server: programs.Serving, files: Files) -> None:
    assert server.ask().tls.version == "TLSv1.2"


def one_suite(server: programs.Serving, files: Files) -> None:
    def twelve(context: ssl.SSLContext, suite: str = "ECDHE-ECDSA-AES256-GCM-SHA384") -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suite)

    with server.connect(adapt=twelve) as tls:
        assert facts(tls).cipher == "ECDHE-ECDSA-AES256-GCM-SHA384"
    other = "ECDHE-ECDSA-AES128-GCM-SHA256"
    assert programs.refused(lambda: server.connect(adapt=lambda context: twelve(context, other)))


def one_group(server: programs.Serving, files: Files) -> None:
    if not server.introduced:  # openssl says nothing before TLS
        assert programs.speaks_group(server.port, "P-256")
        assert not programs.speaks_group(server.port, "X25519")


def shop_by_name(server: programs.Serving, files: Files) -> None:
    with server.connect(name="shop.example") as tls:
        assert facts(tls).certificate == files.shop.pair.der


def no_other_name(server: programs.Serving, files: Files) -> None:
    with pytest.raises(OSError, match=r"(?i)alert|unrecognized|eof|reset"):
        server.connect(name="other.example").close()


def asked_for(server: programs.Serving, files: Files) -> None:
    """Who has a certificate of somebody else's does not come in."""
    stranger = Authority().leaf("mallory@example.org", client=True).write(files.folder / "mallory")
    assert programs.refused(lambda: server.ask(client=stranger))
    assert server.ask().status == 200


def optional(server: programs.Serving, files: Files) -> None:
    assert dataclasses.replace(server, client=None).ask().status == 200


def required(server: programs.Serving, files: Files) -> None:
    assert programs.refused(lambda: dataclasses.replace(server, client=None).ask())


def revoked(server: programs.Serving, files: Files) -> None:
    assert programs.refused(lambda: server.ask(client=files.bob))
    assert server.ask().status == 200


def known(server: programs.Serving, files: Files) -> None:
    assert seen(server)["SSL_CLIENT_S_DN"] == "CN=alice@example.org"


def redirected(server: programs.Serving, files: Files) -> None:
    status, location, _ = server.ask_plainly("/a?b=c", "example.org")
    assert (status, location) == (308, f"https://example.org:{server.port}/a?b=c")


def challenge(server: programs.Serving, files: Files) -> None:
    assert server.ask_plainly("/.well-known/acme-challenge/token", "example.org")[::2] == (200, b"proof")


def hsts(server: programs.Serving, files: Files) -> None:
    answer = server.ask(name="example.org", headers={"Host": "example.org"})
    assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=300"]


def believed(server: programs.Serving, files: Files) -> None:
    told = seen(server, X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="https", X_Forwarded_Host="evil.example")
    assert told["REMOTE_ADDR"] == "203.0.113.9"
    assert "evil.example" not in told["url"]


def exempt(server: programs.Serving, files: Files) -> None:
    plainly = {"X-Forwarded-Proto": "http", "Host": "localhost"}
    assert server.ask("/", headers=plainly).status == 308
    assert server.ask("/health", headers=plainly).status == 404


def introduced(server: programs.Serving, files: Files) -> None:
    assert seen(server)["REMOTE_ADDR"] == "203.0.113.9"
    assert programs.refused(lambda: server.connect(introduced=False))


def late(server: programs.Serving, files: Files) -> None:
    """Who stalls in the handshake is let go after some two seconds, not ten. Of who says nothing at all, the system
    may not even tell the program (TCP_DEFER_ACCEPT)."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=8) as stalled:
        stalled.sendall(client_hello()[:50])
        with contextlib.suppress(ConnectionError):
            while stalled.recv(100):
                pass
    assert time.monotonic() - begun < 8


def granian(server: programs.Serving, files: Files) -> None:
    """By what the process that answers has loaded."""
    process = seen(server)["process"].removeprefix("pid=")
    assert "/granian/" in Path("/proc", process, "maps").read_text()


def drops(server: programs.Serving, files: Files) -> None:
    """These servers drop such names in any case, but uWSGI's own HTTP, which warns of it unless this is set."""
    answer = server.ask(headers={"X-Forwarded_For": "6.6.6.6"})
    assert answer.status == 200, (answer, server.program.log())
    environ = json.loads(answer.body)
    assert ("6.6.6.6" in environ.values()) == ("HTTPS_CC" in environ)
    assert "uWSGI's own HTTP" not in server.program.log()


def renewed(server: programs.Serving, files: Files) -> None:
    """A renewed certificate is served without a word, and so is the one of before."""
    for pair in (files.renewed, files.own.pair):
        files.own.key.write_bytes(pair.key_pem)
        files.own.fullchain.write_bytes(pair.fullchain_pem)
        der = pair.der
        server.program.wait_for(lambda der=der: server.ask().tls.certificate == der, what="the certificate")


PROBES: Mapping[str, Probe] = {
    "cert": own_certificate, "key": own_certificate, "server": granian, "host": one_address, "port": own_certificate,
    "workers": two_processes, "http": only_http_1, "max_version": no_tls_1_3, "ciphers": one_suite,
    "sni": shop_by_name, "sni_strict": no_other_name, "client_ca": asked_for, "client_auth": optional,
    "client_crl": revoked, "client_facts": known, "redirect_port": redirected, "hosts": redirected,
    "acme_webroot": challenge, "hsts": hsts, "trusted_proxies": believed, "proxy": believed,
    "redirect_exempt": exempt, "proxy_drops_underscores": drops, "handshake_timeout": late, "reload": renewed,
}  # fmt: skip
SECOND_PROBES: Mapping[str, Probe] = {
    "cert": own_certificate, "key": own_certificate, "host": one_address, "port": own_certificate,
    "client_ca": required, "threads": two_threads, "profile": no_tls_1_2, "min_version": no_tls_1_2,
    "proxy_protocol": introduced, "trusted_proxies": introduced, "groups": one_group,
}  # fmt: skip
#: Of `test_account`, which starts the programs as root.
_READ = ("user", "group")


def test_every_setting_that_takes_effect_is_looked_at() -> None:
    """A new one needs a probe."""
    for column in _SERVED:
        looked = {*first(column), *second(column), *_READ}
        assert set(settings_with(column, "E")) <= looked, column
        assert set(first(column)) <= set(PROBES), column
        assert set(second(column)) <= set(SECOND_PROBES), column


def test_in_effect(column: tuple[str, str], place: Path, project: Path, files: Files, ca_file: Path) -> None:
    """With most settings at once."""
    names = first(column)
    with serving(column, names, place, project, files, ca_file) as server:
        for probe in dict.fromkeys(PROBES[name] for name in names):
            probe(server, files)


def test_in_effect_too(column: tuple[str, str], place: Path, project: Path, files: Files, ca_file: Path) -> None:
    """With those that contradict the others."""
    names = second(column)
    with serving(column, names, place, project, files, ca_file) as server:
        for probe in dict.fromkeys(SECOND_PROBES[name] for name in names):
            probe(server, files)


# -- in effect: what starts `tlsrun run`, or a server that is told by its environment ----------------------------------

_TOLD = [column for column in COLUMNS if column[0] in ("systemd", "procfile", *export.ELSEWHERE)]
_ON_THE_LINE = {"workers": "--workers 2", "threads": "--threads 2"}


@pytest.mark.parametrize("column", _TOLD, ids="-".join)
@pytest.mark.usefixtures("in_project")
def test_told(column: tuple[str, str], files: Files, place: Path) -> None:
    """What the program is told is what was given, each setting that takes effect; none is lost on the way."""
    runs = export.runs_tlsrun(*column)
    names = [name for name in settings_with(column, "E") if runs or name not in ("user", "group", "server")]
    for chosen in ([one for one in names if (one in _NARROW) is narrow] for narrow in (False, True)):
        if not chosen or (chosen == ["bind"] and not runs):
            continue
        done = exported(column, chosen, files)
        assert done.exit_code == 0, done.stderr
        env, command = reading.told(column, done.stdout, place)
        settings = resolve([environment_layer(env)])
        assert settings.problems == ()
        for name in chosen:
            _assert_told(column, name, samples(column, files)[name], settings.settings, done.stdout, command)


def _assert_told(
    column: tuple[str, str], name: str, words: list[str], settings: Settings, text: str, command: list[str]
) -> None:
    here, runs = getattr(settings, name), export.runs_tlsrun(*column)
    if name in ("user", "group"):
        assert f"\n{name.capitalize()}={words[1]}\n" in text
    elif not runs and name in _ON_THE_LINE and (name, column[1]) != ("workers", "uwsgi"):
        line = " ".join(command)
        assert _ON_THE_LINE[name] in line or "${WEB_CONCURRENCY:-2}" in text, line
    elif name == "workers" and not runs:
        assert "--processes 2" in " ".join(command)
    elif name in ("client_ca", "client_auth") and not runs:
        assert "ssl-client-cert" in settings.proxy
    elif name in ("cert", "key", "client_ca", "client_crl", "key_password_file", "bind") and here != words[-1]:
        # Where the service, or the container, has it.
        assert here is not None, name
    elif name == "proxy":
        assert "nginx" in here
    elif name == "http" and not runs:
        assert here == ()
    else:
        given = words[1] if len(words) == 2 else True
        assert here == SPECS[name].kind.parse(given), name
