"""What the application is told of a request and of its connection, and what a client cannot make it believe."""

from __future__ import annotations

import json
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.edge.conftest import EdgeMaker, RunningEdge
from tests.edge.speaking import Talk
from tests.support.certs import Authority
from tests.support.clients import client_context
from tlsrun.edge.variables import connection_variables, packet, pair, pairs
from tlsrun.http1.refusal import Refused
from tlsrun.proxies.peers import unmapped


def told(talk: Talk, *lines: str) -> dict[str, str]:
    """The application's environ."""
    answer = talk.get("/env", *lines)
    assert answer.status == 200
    environ: dict[str, str] = json.loads(answer.words)
    return environ


def test_environ(edge: RunningEdge) -> None:
    """The application sees https, both addresses, the server's name and what the TLS connection is."""
    with edge.talk() as talk:
        host, port = talk.tls.getsockname()[:2]
        environ = told(talk, "X-Mine: yes")
        cipher = talk.tls.cipher()
    assert cipher is not None
    expected = {
        "wsgi.url_scheme": "https", "UWSGI_SCHEME": "https", "HTTPS": "on",
        "REMOTE_ADDR": host, "REMOTE_PORT": str(port), "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(edge.address[1]), "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_METHOD": "GET", "REQUEST_URI": "/env", "PATH_INFO": "/env", "SCRIPT_NAME": "", "QUERY_STRING": "",
        "HTTP_HOST": "localhost", "HTTP_X_MINE": "yes", "SSL_PROTOCOL": "TLSv1.3", "SSL_CIPHER": cipher[0],
        "SSL_CIPHER_USEKEYSIZE": str(cipher[2]), "SSL_SESSION_RESUMED": "Initial", "SSL_TLS_SNI": "localhost",
        "SSL_CLIENT_VERIFY": "NONE",
    }  # fmt: skip
    assert {name: environ.get(name) for name in expected} == expected
    assert "SSL_CIPHER_ALGKEYSIZE" in environ
    assert "CONTENT_LENGTH" not in environ
    assert "CONTENT_TYPE" not in environ


CLAIMS = (
    "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: http", "X-Forwarded-Ssl: off", "X-Forwarded-Host: evil",
    "X-Forwarded-Port: 66", "Forwarded: for=6.6.6.6;proto=http", "X-Real-IP: 6.6.6.6", "X-Client-IP: 6.6.6.6",
    "CF-Connecting-IP: 6.6.6.6", "Client-Cert: :AA==:", "Client-Cert-Chain: :AA==:", "SSL-Client-Verify: SUCCESS",
    "X-SSL-Client-S-DN: CN=evil", "Proxy: http://evil", "X_Forwarded_For: 6.6.6.6", "HTTPS: off", "SSL_PROTOCOL: SSLv2",
    "SSL_CLIENT_VERIFY: SUCCESS", "REMOTE_ADDR: 6.6.6.6", "Remote-Addr: 6.6.6.6", "UWSGI_SCHEME: gopher",
    "UWSGI-Scheme: gopher", "Script-Name: /evil", "Path-Info: /evil", "Server-Port: 66", "Content_Length: 66",
    "X-Forwarded-Prefix: /evil", "X-Original-URL: /evil", "Connection: X-Mine, Host, Https, Remote-Addr",
)  # fmt: skip


def test_claims(edge: RunningEdge) -> None:
    """No header changes an address, the scheme, a fact or the path, and claims are not even handed on."""
    own = ("REMOTE_", "SERVER_", "SSL_", "HTTPS", "UWSGI_", "wsgi.", "PATH_INFO", "SCRIPT_", "REQUEST_", "QUERY_")
    with edge.talk() as talk:
        honest = told(talk)
        claimed = told(talk, *CLAIMS)
    assert {name: value for name, value in claimed.items() if name.startswith(own)} == {
        name: value for name, value in honest.items() if name.startswith(own)
    }
    added = set(claimed) - set(honest)
    assert added == {"HTTP_UWSGI_SCHEME", "HTTP_PATH_INFO", "HTTP_SERVER_PORT"}


@pytest.mark.parametrize("line", ["PROXY TCP4 6.6.6.6 127.0.0.1 1 443", "PROXY UNKNOWN"])
def test_proxy_line_on_a_kept_connection(edge: RunningEdge, line: str) -> None:
    """A PROXY line is refused at once on a connection in use, too."""
    with edge.talk() as talk:
        assert talk.get().words == "hello"
        talk.send(line.encode() + b"\r\n")
        assert talk.answer().status == 400
        assert talk.end() == "notified"


def test_resumed(edge: RunningEdge) -> None:
    """A resumed session is told as such."""
    context = client_context(edge.ca)
    with edge.talk(context=context) as talk:
        assert told(talk)["SSL_SESSION_RESUMED"] == "Initial"
        session = talk.tls.session
    with edge.talk(context=context, session=session) as talk:
        assert told(talk)["SSL_SESSION_RESUMED"] == "Resumed"


def test_without_sni(edge: RunningEdge) -> None:
    """A client that asks for no name is served, and none is told; TLS 1.2 is told as such."""
    context = client_context(None)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with edge.talk(context=context, name=None) as talk:
        environ = told(talk)
    assert "SSL_TLS_SNI" not in environ
    assert environ["SSL_PROTOCOL"] == "TLSv1.2"


def test_client_certificate(edge_with: EdgeMaker, ca_file: Path, tmp_path: Path) -> None:
    """A client's certificate is told, also a large one that makes the packet large."""
    authority = Authority("clients")
    names = ["jo", *(f"alias-{number}.example.org" for number in range(400))]
    paths = authority.leaf(names, client=True).write(tmp_path / "jo")
    with edge_with(client_ca=authority.write(tmp_path)) as edge:
        context = client_context(ca_file, cert=paths.fullchain, key=paths.key)
        with edge.talk(context=context) as talk:
            environ = told(talk)
            assert environ["SSL_CLIENT_VERIFY"] == "SUCCESS"
            assert environ["SSL_CLIENT_S_DN"] == "CN=jo"
            assert "BEGIN CERTIFICATE" in environ["SSL_CLIENT_CERT"]
        with edge.talk() as talk:
            assert told(talk)["SSL_CLIENT_VERIFY"] == "NONE"


def test_too_many_variables(edge_with: EdgeMaker) -> None:
    """What a packet cannot hold is refused in words, and the connection ends."""
    with edge_with(limits={"variables": 2000}) as edge, edge.talk() as talk:
        assert talk.get().words == "hello"
        answer = talk.get("/", *["X-A: " + "a" * 900] * 3)
        assert answer.status == 431
        assert "2000 bytes" in answer.words
        assert talk.end() == "notified"


def test_all_headers_arrive(edge: RunningEdge) -> None:
    """As many headers as are allowed all reach the application, beside the facts."""
    with edge.talk() as talk:
        environ = told(talk, *[f"X-Number-{number}: {number}" for number in range(98)])
    assert all(environ[f"HTTP_X_NUMBER_{number}"] == str(number) for number in range(98))


def test_server_name(edge_with: EdgeMaker) -> None:
    """A server name that was given is told instead of the address."""
    with edge_with(server_name="www.example.org") as edge, edge.talk() as talk:
        assert told(talk)["SERVER_NAME"] == "www.example.org"


def test_ipv6(edge_with: EdgeMaker) -> None:
    """IPv6 addresses are told without brackets."""
    with edge_with(ipv6=True) as edge, edge.talk() as talk:
        environ = told(talk)
    assert environ["REMOTE_ADDR"] == environ["SERVER_NAME"] == "::1"


def test_curl(edge: RunningEdge) -> None:
    """curl, with a path to decode, sees what it asked for."""
    command = ["curl", "-sS", "--cacert", str(edge.ca), f"{edge.url}/env/%C3%A9%2Fa?b=%20", "-H", "X-Empty;"]
    output = subprocess.run(command, capture_output=True, check=True, timeout=20).stdout
    environ = json.loads(output)
    assert environ["PATH_INFO"] == "/env/\xc3\xa9/a"
    assert environ["REQUEST_URI"] == "/env/%C3%A9%2Fa?b=%20"
    assert environ["QUERY_STRING"] == "b=%20"
    assert environ["HTTP_X_EMPTY"] == ""


def test_packet() -> None:
    """The packet has a head of four bytes, the connection's variables, the request's, and the length of the body."""
    variables = b"\x01\x00A\x01\x00b\x01\x00C\x00\x00\x0e\x00CONTENT_LENGTH\x02\x0012"
    assert packet(pair(b"A", b"b"), pair(b"C", b""), 12, 100) == b"\x00\x1f\x00\x00" + variables
    assert len(variables) == 0x1F
    assert packet(b"", b"", None, 0) == b"\x00\x00\x00\x00"
    with pytest.raises(Refused):
        packet(pair(b"A", b"b"), b"", None, 5)


def test_connection_variables() -> None:
    """No fact can take the place of an address or of HTTPS; values are octets, as WSGI has them."""
    data = connection_variables(server=("s", 443), peer=("p", 1), facts={"HTTPS": "off", "SSL_X": "\xe4"})
    assert pair(b"HTTPS", b"on") in data
    assert b"off" not in data
    assert pair(b"SSL_X", b"\xe4") in data
    assert pairs({"N": "\u20ac"}) == pair(b"N", "\u20ac".encode())


def test_unmapped() -> None:
    """An IPv4 client of an IPv6 socket has its IPv4 address."""
    assert unmapped("::ffff:1.2.3.4") == "1.2.3.4"
    assert unmapped("::1") == "::1"
