"""What a client may say, and what becomes of it: the same under every server, over every version of HTTP.

One running server each; each is only asked something.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from tests.support.certs import Paths
from tests.support.clients import Address, client_context, free_port, tls_connect
from tests.support.h3 import Client, Reset, http_3
from tests.support.process import PATIENCE, ROOT, Server
from tests.support.servers import ALL_SERVERS, need

APP = "tests.applications.request:app"

Answer = tuple[int, dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request.

    Arguments:
        authority: Host, or ``:authority``.
    """

    method: str = "GET"
    target: str = "/seen?a"
    authority: str | None = "localhost"
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What is asked, and what comes of it.

    Arguments:
        status: of the answer; a refusal may end the stream, or the connection, where the protocol's own layer sees it.
        seen: variables that the application must have.
        unseen: those that it must not have.
        over: the versions of HTTP in which it can be said.
        not_under: the servers, and ways to start one, whose own parser hides it; see docs/explanation/servers.md.
        of_clients: a trusted proxy may say it.
    """

    asked: Asked
    status: int = 200
    seen: dict[str, str] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    over: tuple[str, ...] = ("1.1", "2", "3")
    not_under: tuple[str, ...] = ()
    of_clients: bool = False


#: Names of the one table: exact ones, and one of each beginning.
_CLAIMS = (
    "X-Forwarded-For", "X-Forwarded-Foo", "Forwarded", "X-Real-IP", "X-Real-Foo", "X-Client-IP", "X-Client-Foo",
    "True-Client-IP", "CF-Connecting-IP", "CF-Ray", "Fastly-Client-IP", "Fastly-SSL", "X-Azure-ClientIP",
    "X-AppEngine-User-IP", "X-AppService-Proto", "X-ARR-SSL", "X-Envoy-External-Address", "Client-Cert", "SSL-Client-X",
    "X-SSL-Client-X", "TLS-X", "X-TLS-X", "X-Amzn-Mtls-X", "X-Original-URL", "X-Original-Foo", "X-Rewrite-URL",
    "Remote-User", "Remote-Addr", "X-Remote-User", "X-Verified-User", "X-Host", "X-HTTPS", "X-Scheme", "Script-Name",
    "X-Script-Name", "Front-End-Https",
)  # fmt: skip


def _variable(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")


def _saying(*fields: tuple[str, str], **more: Any) -> Asked:
    return Asked(fields=fields, **more)


ONE = ("1.1",)
FACTS = {
    "others": Fact(
        asked=_saying(("X-Mine", "a"), ("Via", "b"), ("X-Mine", "c"), ("Authorization", "d")),
        seen={
            "HTTP_X_MINE": "a,c", "HTTP_VIA": "b", "HTTP_AUTHORIZATION": "d", "HTTP_HOST": "localhost",
            "PATH_INFO": "/seen", "QUERY_STRING": "a", "REQUEST_METHOD": "GET",
        },
    ),
    "httpoxy": Fact(asked=_saying(("Proxy", "http://6.6.6.6")), unseen=("HTTP_PROXY",)),
    "claims": Fact(
        asked=_saying(*((name, "6.6.6.6") for name in _CLAIMS)), unseen=tuple(map(_variable, _CLAIMS)), of_clients=True
    ),
    "underscores": Fact(
        asked=_saying(("X_Mine", "a"), ("Script_Name", "/b"), ("Remote_User", "c")),
        unseen=("HTTP_X_MINE", "HTTP_SCRIPT_NAME", "HTTP_REMOTE_USER"), not_under=("granian-entry", "uwsgi-entry"),
    ),
    "script name": Fact(asked=_saying(("SCRIPT_NAME", "/b"), ("PATH_INFO", "/c")), seen={"PATH_INFO": "/seen"}),
    "chunks": Fact(
        asked=_saying(("Transfer-Encoding", "chunked"), method="POST", body=b"5\r\nhello\r\n0\r\n\r\n"),
        seen={"body": "hello"}, unseen=("HTTP_TRANSFER_ENCODING",), over=ONE, not_under=("uwsgi-entry",),
    ),
    "a coding": Fact(asked=_saying(("Transfer-Encoding", "chunked")), status=400, over=("2", "3")),
    "another coding": Fact(
        asked=_saying(("Transfer-Encoding", "gzip, chunked"), method="POST", body=b"0\r\n\r\n"), status=400, over=ONE
    ),
    "a path in Host": Fact(asked=Asked(authority="localhost/x"), status=400),
    "a user in Host": Fact(asked=Asked(authority="a@localhost"), status=400),
    "a list of Hosts": Fact(asked=Asked(authority="a, b"), status=400),
    "an empty Host": Fact(asked=Asked(authority=""), status=400),
    "no Host": Fact(asked=Asked(authority=None), status=400),
    "two Hosts": Fact(asked=_saying(("Host", "localhost")), status=400, over=ONE),
    "Host and authority": Fact(asked=_saying(("Host", "other")), status=400, over=("2", "3"), not_under=("granian",)),
    "a URL": Fact(
        asked=Asked(target="https://example.org:81/seen?a"), over=ONE, not_under=("granian",),
        seen={"HTTP_HOST": "example.org:81", "PATH_INFO": "/seen", "QUERY_STRING": "a"},
    ),
    "a URL without a path": Fact(
        asked=Asked(target="http://example.org"), over=ONE, not_under=("granian",),
        seen={"HTTP_HOST": "example.org", "PATH_INFO": "/", "QUERY_STRING": ""},
    ),
    "a URL with a user": Fact(
        asked=Asked(target="http://a@example.org/seen"), status=400, over=ONE, not_under=("granian",)
    ),
    "a URL of another scheme": Fact(
        asked=Asked(target="ftp://example.org/seen"), status=400, over=ONE, not_under=("granian",)
    ),
    "NUL": Fact(asked=Asked(target="/seen%00"), status=400),
    "a fragment": Fact(asked=Asked(target="/seen#x"), status=400, not_under=("granian", "uwsgi-entry")),
    "an asterisk": Fact(asked=Asked(target="*"), status=400),
    "a method": Fact(asked=Asked(method="BREW"), seen={"REQUEST_METHOD": "BREW"}),
    "a method in small letters": Fact(
        asked=Asked(method="brew"), seen={"REQUEST_METHOD": "brew"}, not_under=("gunicorn", "hypercorn-entry")
    ),
    "PROXY": Fact(asked=Asked(method="PROXY"), status=400),
    "CONNECT": Fact(
        asked=Asked(method="CONNECT", target="localhost:443", authority="localhost:443"), status=405,
        not_under=("hypercorn-entry",),
    ),
    "an expectation": Fact(asked=_saying(("Expect", "200-ok"), ("Content-Length", "0"), method="POST"), status=417),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server.

    Arguments:
        name: of the way it is started.
        tls: whether it speaks TLS.
        server: which it is.
    """

    name: str
    server: str
    address: Address
    tls: bool
    ca: Path

    def ask(self, version: str, asked: Asked) -> Answer:
        """Ask it over a connection of its own; status 0 when it is refused without an answer."""
        return {"1.1": _over_1, "2": _over_2, "3": _over_3}[version](self, asked)


def _over_1(site: Running, asked: Asked) -> Answer:
    host = [] if asked.authority is None else [f"Host: {asked.authority}"]
    lines = [f"{name}: {value}" for name, value in asked.fields]
    head = [f"{asked.method} {asked.target} HTTP/1.1", *host, *lines, "Connection: close", "", ""]
    with contextlib.ExitStack() as stack:
        sock: socket.socket
        if site.tls:
            sock = stack.enter_context(tls_connect(site.address, site.ca))
        else:
            sock = stack.enter_context(socket.create_connection(site.address, PATIENCE))
        sock.sendall("\r\n".join(head).encode() + asked.body)
        data = b""
        with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
            while part := sock.recv(65536):
                data += part
    first, _, body = data.partition(b"\r\n\r\n")
    status = int(first.split(b" ")[1])
    return status, json.loads(body) if status == 200 else {}


def _pseudo(asked: Asked) -> list[tuple[str, str]]:
    more = [] if asked.authority is None else [(":authority", asked.authority)]
    if asked.method != "CONNECT":
        more += [(":scheme", "https"), (":path", asked.target)]
    return [(":method", asked.method), *more, *((name.lower(), value) for name, value in asked.fields)]


def _over_2(site: Running, asked: Asked) -> Answer:
    context = client_context(site.ca)
    context.set_alpn_protocols(["h2"])
    free = {"validate_outbound_headers": False, "normalize_outbound_headers": False}
    client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="latin-1", **free))
    status, body = 0, b""
    with tls_connect(site.address, None, context=context) as tls:
        client.initiate_connection()
        client.send_headers(1, _pseudo(asked), end_stream=True)
        tls.sendall(client.data_to_send())
        while data := tls.recv(65536):
            for event in client.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[":status"])
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data or b""
                elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset, h2.events.ConnectionTerminated)):
                    return status, json.loads(body) if status == 200 else {}
            tls.sendall(client.data_to_send())
    return status, {}


def _over_3(site: Running, asked: Asked) -> Answer:
    async def do(client: Client) -> Answer:
        encoded = [(name.encode(), value.encode()) for name, value in _pseudo(asked)]
        try:
            answer = await client.answer(client.begin_raw(encoded))
        except Reset:
            return 0, {}
        return answer.status, json.loads(answer.body) if answer.status == 200 else {}

    async def main() -> Answer:
        async with http_3(site.address, site.ca) as client:
            return await do(client)

    return asyncio.run(main())


def _run(server: str) -> Callable[[int, Paths], list[str | Path]]:
    """``tlsrun run --server …``."""

    def command(port: int, cert: Paths) -> list[str | Path]:
        files = ["--cert", cert.fullchain, "--key", cert.key]
        return [sys.executable, "-m", "tlsrun", "run", APP, "--server", server, "--port", str(port), *files]

    return command


def _entry_gunicorn(port: int, cert: Paths) -> list[str | Path]:
    files = ["--certfile", cert.fullchain, "--keyfile", cert.key]
    command = [_BIN / "gunicorn", "--no-control-socket", "-b", f"127.0.0.1:{port}"]
    return [*command, *files, "tlsrun.entry:application"]


def _entry_granian(port: int, cert: Paths) -> list[str | Path]:
    files = ["--ssl-certificate", cert.fullchain, "--ssl-keyfile", cert.key]
    return [_BIN / "granian", "--interface", "wsgi", "--port", str(port), *files, "tlsrun.entry:application"]


def _entry_hypercorn(port: int, cert: Paths) -> list[str | Path]:
    files = ["--certfile", cert.fullchain, "--keyfile", cert.key]
    return [_BIN / "hypercorn", "--bind", f"127.0.0.1:{port}", *files, "asgi:tlsrun.entry:asgi"]


def _entry_uwsgi(port: int, cert: Paths) -> list[str | Path]:
    return [_BIN / "uwsgi", "--http-socket", f"127.0.0.1:{port}", "--need-app", "--module", "tlsrun.entry:application"]


def _platform(port: int, cert: Paths) -> list[str | Path]:
    return [sys.executable, "-m", "tlsrun", "run", APP]


_BIN = Path(sys.executable).parent
WAYS: dict[str, tuple[str, Callable[[int, Paths], list[str | Path]]]] = {
    **{server: (server, _run(server)) for server in ALL_SERVERS},
    "gunicorn-entry": ("gunicorn", _entry_gunicorn),
    "granian-entry": ("granian", _entry_granian),
    "hypercorn-entry": ("hypercorn", _entry_hypercorn),
    "uwsgi-entry": ("uwsgi", _entry_uwsgi),
    "platform": ("gunicorn", _platform),
}
VERSIONS = {"hypercorn": ("1.1", "2", "3"), "granian": ("1.1", "2")}
VERSIONS_OF_WAYS = {"hypercorn-entry": ("1.1", "2")}  # it is given no --quic-bind


@pytest.fixture(params=WAYS, scope="module")
def site(request: pytest.FixtureRequest, localhost_cert: Paths, ca_file: Path) -> Iterator[Running]:
    """A running server."""
    server, command = WAYS[request.param]
    need(server)
    port = free_port()
    env = {"TLSRUN_APP": APP, "PYTHONPATH": str(ROOT), "FORWARDED_ALLOW_IPS": ""}
    if request.param == "platform":
        env |= {"DYNO": "web.1", "PORT": str(port)}
    tls = request.param not in ("platform", "uwsgi-entry")
    address = ("127.0.0.1", port)
    with Server(command(port, localhost_cert), cwd=ROOT, env=env) as program:
        if tls:
            program.until_tls(address)
        else:
            program.until_listening(address)
        yield Running(name=request.param, server=server, address=address, tls=tls, ca=ca_file)
        assert "Traceback" not in program.log()


@pytest.mark.parametrize("name", FACTS)
def test_fact(site: Running, name: str) -> None:
    """What is asked has the same answer, over each version that the server speaks."""
    fact = FACTS[name]
    if {site.server, site.name} & {*fact.not_under}:
        pytest.skip("its parser hides it: docs/explanation/servers.md")
    if site.name == "platform" and fact.of_clients:
        pytest.skip("whoever comes is the platform's router")
    versions = VERSIONS_OF_WAYS.get(site.name, VERSIONS.get(site.server, ("1.1",)))
    for version in versions:
        if version not in fact.over:
            continue
        status, seen = site.ask(version, fact.asked)
        expected = {fact.status}
        if fact.status != 200 and not (version == "1.1" and site.name in ("builtin", "uwsgi", "hypercorn")):
            expected |= {400, 501, 0}  # the server's own parser may see it first
        assert status in expected, (version, status)
        assert {key: seen[key].replace(", ", ",") for key in fact.seen} == fact.seen, version
        assert not set(fact.unseen) & seen.keys(), version
