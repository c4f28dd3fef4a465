"""How each setting is seen to take effect in a program that runs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.export import programs
from tests.export.matrix import Files
from tests.support.certs import Authority
from tests.support.clients import client_hello, facts
from tests.support.process import eventually

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
