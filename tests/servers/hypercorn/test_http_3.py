"""HTTP/3: by clients that others wrote, with all that the other versions have."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aioquic.h3.connection import ErrorCode
from aioquic.h3.events import DataReceived

from tests.applications.pages import BLOCK
from tests.support.certs import Authority, Paths
from tests.support.clients import free_port
from tests.support.frameworks import FRAMEWORKS, Begin, Site, beginning
from tests.support.h3 import Answer, Client, Reset, http_3
from tests.support.process import eventually, run
from tests.support.relay import published

pytestmark = pytest.mark.representatives("", shared="site")


@pytest.fixture(params=FRAMEWORKS)
def begin(request: pytest.FixtureRequest, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> Begin:
    """Starts a site of one test under Hypercorn."""
    return beginning("hypercorn", request.param, localhost_cert, ca_file, tmp_path)


@pytest.fixture(params=FRAMEWORKS, scope="module")
def site(
    request: pytest.FixtureRequest, localhost_cert: Paths, ca_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site that the tests of this module share."""
    folder = tmp_path_factory.mktemp("site")
    with beginning("hypercorn", request.param, localhost_cert, ca_file, folder)() as running:
        yield running


def talk(site: Site, do: Callable[[Client], Awaitable[None]]) -> None:
    """Over one connection."""

    async def main() -> None:
        async with http_3(site.address, site.ca) as client:
            await do(client)

    asyncio.run(main())


def ask(site: Site, path: str, method: str = "GET", **headers: str) -> Answer:
    """One page over one new connection."""

    async def main() -> Answer:
        async with http_3(site.address, site.ca) as client:
            return await client.ask(path, method=method, host=f"localhost:{site.port}", **headers)

    return asyncio.run(main())


def test_niquests(site: Site) -> None:
    """A client for everyday use, which takes HTTP/3 when it knows of it."""
    script = f"""
import niquests
session = niquests.Session()
session.quic_cache_layer.add_domain("localhost", {site.port})
for path in ("/", "/parts/100", "/status/204"):
    answer = session.get("{site.url}" + path)
    print(answer.http_version, answer.status_code, len(answer.content) > 0)
print(session.post("{site.url}/upload", data=b"x" * 1000000).text)
print(session.head("{site.url}/parts/3").status_code)
"""
    done = run([sys.executable, "-c", script], env={"REQUESTS_CA_BUNDLE": str(site.ca)})
    digest = hashlib.sha256(b"x" * 1000000).hexdigest()
    assert done.stdout.splitlines() == ["30 200 True", "30 200 True", "30 204 False", f"1000000 {digest}", "200"], done


def test_it_is_announced(site: Site) -> None:
    """Answers over TCP say where HTTP/3 is spoken."""
    for version in ("--http1.1", "--http2"):
        answer = site.curl("/", version, "-D", "-", "-o", "/dev/null")
        assert f'alt-svc: h3=":{site.port}"; ma=86400' in answer.body.lower(), answer


def test_a_published_port(site: Site) -> None:
    """A client that came to another number, under which a container's port is published, finds HTTP/3 there."""
    outside = free_port()
    script = f"""
import niquests
session = niquests.Session()
for path in ("/", "/", "/"):
    answer = session.get("https://localhost:{outside}" + path)
    print(answer.http_version, answer.headers["alt-svc"])
"""
    with published(outside, site.port):
        done = run([sys.executable, "-c", script], env={"REQUESTS_CA_BUNDLE": str(site.ca)})
    told = f'h3=":{outside}"; ma=86400'
    assert done.stdout.splitlines() == [f"20 {told}", f"30 {told}", f"30 {told}"], done


def test_the_usual_port(site: Site) -> None:
    """It is not written in a Host, and what is no host counts for nothing."""
    for host, port in (("localhost", 443), ("[::1]", 443), ("localhost:8443", 8443), ("a b", site.port)):
        answer = site.curl("/", "--http1.1", "-D", "-", "-o", "/dev/null", "-H", f"Host: {host}")
        assert f'alt-svc: h3=":{port}"; ma=86400\n' in answer.body.lower() or answer.status == 400, answer


def test_clients_of_a_proxy_are_told_nothing(begin: Begin) -> None:
    """What stands in front has ports of its own, and hands every header on."""
    with begin("--trusted-proxies", "127.0.0.5") as site:
        for version in ("--http1.1", "--http2"):
            words = (version, "-D", "-", "-o", "/dev/null", "--interface")
            assert "alt-svc" not in site.curl("/", *words, "127.0.0.5").body.lower()
            assert "alt-svc" in site.curl("/", *words, "127.0.0.6").body.lower()


def test_what_the_application_sees(site: Site) -> None:
    """The version, the URL, the client's address, and the facts of TLS."""
    answer = ask(site, "/?a=b%20c", x_mixed="Value")
    seen = json.loads(answer.body)
    assert seen["SERVER_PROTOCOL"] == "HTTP/3"
    assert (seen["wsgi.url_scheme"], seen["HTTPS"], seen["SSL_PROTOCOL"]) == ("https", "on", "TLSv1.3")
    assert seen["SSL_CIPHER"].startswith("TLS_AES_")
    assert (seen["SSL_TLS_SNI"], seen["SSL_CLIENT_VERIFY"]) == ("localhost", "NONE")
    assert (seen["HTTP_HOST"], seen["SERVER_PORT"]) == (f"localhost:{site.port}", str(site.port))
    assert (seen["REMOTE_ADDR"], seen["QUERY_STRING"], seen["HTTP_X_MIXED"]) == ("127.0.0.1", "a=b%20c", "Value")


def test_headers_are_no_facts(site: Site) -> None:
    """What looks like a variable of TLS, and comes from a client, is none."""
    seen = json.loads(ask(site, "/", ssl_client_verify="SUCCESS", https="off").body)
    assert (seen["SSL_CLIENT_VERIFY"], seen["HTTPS"]) == ("NONE", "on")


@pytest.mark.parametrize("path", ["/", "/parts/3", "/download/1000000"])
def test_head(site: Site, path: str) -> None:
    """The headers of GET, and no body."""
    answer = ask(site, path, "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    if path.startswith("/download"):
        assert answer.headers["content-length"] == "1000000"


def test_answers_without_a_body(site: Site) -> None:
    """Empty answers are neither errors nor waited for."""

    async def do(client: Client) -> None:
        for status in (200, 204, 304, 404, 503):
            for method in ("GET", "HEAD", "POST"):
                answer = await client.ask(f"/status/{status}", method=method)
                assert (answer.status, answer.body) == (status, b""), method

    talk(site, do)


def test_a_generator(site: Site) -> None:
    """An answer without a length arrives whole, many parts or none."""
    assert ask(site, "/parts/1000").body.decode() == "".join(f"{number}," for number in range(1000))
    assert ask(site, "/parts/0").body == b""


def test_events_come_one_by_one(begin: Begin, tmp_path: Path) -> None:
    """Server-sent events arrive when they are made, not at the end."""

    async def do(client: Client) -> None:
        number = client.begin("GET", "/events", host="localhost")
        await client.event(number)
        for event in (1, 2, 3):
            (tmp_path / f"event-{event}").touch()
            part = await client.event(number)
            assert isinstance(part, DataReceived)
            assert part.data == b"data: %d\n\n" % event
        assert (await client.event(number)).stream_ended

    with begin() as site:
        talk(site, do)


#: 100 of them are tens of seconds in which a client in Python does nothing else.
MEBIBYTES = pytest.mark.parametrize("mebibytes", [20, pytest.param(100, marks=pytest.mark.full)])


@MEBIBYTES
def test_a_long_upload(site: Site, mebibytes: int) -> None:
    """One whose length nobody said before arrives."""
    block = os.urandom(1 << 18)
    digest = hashlib.sha256()
    for _ in range(mebibytes * 4):
        digest.update(block)

    async def do(client: Client) -> None:
        answer = await client.ask("/upload", method="POST", body=[block] * (mebibytes * 4))
        assert answer.body.decode() == f"{mebibytes << 20} {digest.hexdigest()}"

    talk(site, do)


@MEBIBYTES
def test_a_long_download(site: Site, mebibytes: int) -> None:
    """It is what was sent."""
    size = mebibytes << 20

    async def do(client: Client) -> None:
        body = (await client.ask(f"/download/{size}")).body
        assert len(body) == size
        assert body == BLOCK * (size // len(BLOCK))

    talk(site, do)


def test_trailers_are_ignored(site: Site) -> None:
    """A second block of headers behind the body is no request, and no header of the first."""

    async def do(client: Client) -> None:
        number = client.begin("POST", "/upload", host="localhost", body=True)
        client.send(number, b"body")
        client.h3.send_headers(number, [(b"x-checksum", b"1")], end_stream=True)
        client.transmit()
        answer = await client.answer(number)
        assert answer.body.decode() == f"4 {hashlib.sha256(b'body').hexdigest()}"
        assert (await client.ask("/")).status == 200

    talk(site, do)


def test_a_failure_is_a_500(site: Site) -> None:
    """An application that raises costs its request, nothing else."""

    async def do(client: Client) -> None:
        assert (await client.ask("/fails")).status == 500
        assert (await client.ask("/")).status == 200

    talk(site, do)


def test_a_body_that_nobody_reads(site: Site) -> None:
    """The answer comes before the request is over, and the connection goes on."""

    async def do(client: Client) -> None:
        number = client.begin("POST", "/ignored", host="localhost", body=True)
        client.send(number, bytes(100_000))
        assert (await client.answer(number)).body == b"not read"
        assert (await client.ask("/")).status == 200

    talk(site, do)


def test_requests_that_wsgi_cannot_be_told(site: Site) -> None:
    """CONNECT, and a path of other octets, are answered in words, each on its stream alone."""

    async def do(client: Client) -> None:
        for method, path, status in (("CONNECT", "/", 405), ("GET", "/\u00e4", 400), ("HEAD", "/#a", 400)):
            answer = await client.answer(client.begin(method, path, host="localhost"))
            assert (answer.status, answer.body[:3].decode()) == (status, "" if method == "HEAD" else str(status))
        upload = client.begin("POST", "/", host="a b", body=True)
        assert (await client.answer(upload)).status == 400
        assert (await client.ask("/")).status == 200

    talk(site, do)


def test_headers_without_bounds(site: Site) -> None:
    """Too many headers end their stream alone; a frame that goes on and on ends the connection, not the memory."""

    async def many(client: Client) -> None:
        number = client.begin("GET", "/", host="localhost", **{f"x{n}": "x" * 2000 for n in range(40)})
        with pytest.raises(Reset) as refused:
            await client.answer(number)
        assert refused.value.args == (ErrorCode.H3_EXCESSIVE_LOAD,)

    async def endless(client: Client) -> None:
        number = client.begin("POST", "/upload", host="localhost", body=True)
        headers_of_a_gibibyte = b"\x01\xc0\x00\x00\x00\x40\x00\x00\x00"
        client._quic.send_stream_data(number, headers_of_a_gibibyte + bytes(1_000_000))
        client.transmit()
        with pytest.raises(Reset) as refused:
            await client.answer(number)
        assert refused.value.args == (ErrorCode.H3_EXCESSIVE_LOAD,)

    # Python 3.10's newest pylsqpack, 0.3, writes no more than 4 KiB of headers.
    for do in (many, endless) if sys.version_info >= (3, 11) else (endless,):
        talk(site, do)
        assert ask(site, "/").status == 200


def test_a_client_that_leaves(begin: Begin, tmp_path: Path) -> None:
    """The generator of an abandoned answer is closed: of one stream, and of a connection that goes."""

    async def do(client: Client, *, stay: bool) -> None:
        number = client.begin("GET", "/forever", host="localhost")
        await client.event(number)
        if stay:
            client.leave(number)
            await asyncio.to_thread(eventually, (tmp_path / "closed").exists, what="the generator's close()")
            assert (await client.ask("/")).status == 200

    with begin(threads=1) as site:
        for stay in (True, False, True, False):
            (tmp_path / "closed").unlink(missing_ok=True)
            talk(site, lambda client, stay=stay: do(client, stay=stay))  # type: ignore[misc]
            eventually((tmp_path / "closed").exists, what="the generator's close()")
        assert "Traceback" not in site.server.log()


def test_clients_that_do_not_send(begin: Begin) -> None:
    """More of them than there are threads, each amid its body: another client has its page."""

    async def main(site: Site) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(12):
                client = await stack.enter_async_context(http_3(site.address, site.ca))
                number = client.begin("POST", "/upload", host="localhost", body=True)
                client.send(number, b"only this")
            async with http_3(site.address, site.ca) as another:
                for _ in range(5):
                    assert (await another.ask("/")).status == 200

    with begin(threads=2) as site:
        asyncio.run(main(site))


def test_every_connection_arrives(site: Site) -> None:
    """60 connections at once on two workers: each has a socket of its own, and none loses one."""

    async def main() -> None:
        async def one() -> int:
            async with http_3(site.address, site.ca) as client:
                return (await client.ask("/")).status

        for _ in range(3):
            assert await asyncio.gather(*(one() for _ in range(20))) == [200] * 20

    asyncio.run(main())


def test_many_requests_of_one_connection(site: Site) -> None:
    """100 at once."""

    async def do(client: Client) -> None:
        answers = await asyncio.gather(*(client.ask(f"/parts/{number}") for number in range(100)))
        assert [len(answer.body.decode().split(",")) - 1 for answer in answers] == list(range(100))

    talk(site, do)


def test_a_renewed_certificate(ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """It is shown to new connections by each worker, while an old connection goes on."""
    pair = ca.leaf().write(tmp_path / "pair")

    async def serial(site: Site) -> int:
        async with http_3(site.address, site.ca) as client:
            return client.certificate.serial_number

    async def main(site: Site) -> None:
        async with http_3(site.address, site.ca) as old:
            assert (await old.ask("/")).status == 200
            renewed = ca.leaf()
            wanted = renewed.certificate.serial_number
            assert old.certificate.serial_number != wanted
            renewed.write(tmp_path / "pair")
            seen = 0
            for _ in range(600):
                seen = seen + 1 if await serial(site) == wanted else 0
                if seen == 20:  # by both workers, as good as certainly
                    break
                await asyncio.sleep(0.05)
            assert seen == 20
            assert (await old.ask("/")).status == 200

    with beginning("hypercorn", "flask", pair, ca_file, tmp_path)() as site:
        asyncio.run(main(site))


def test_http_3_alone(begin: Begin) -> None:
    """``--http 3``: nothing listens on TCP."""
    with begin("--http", "3", until_tls=False) as site:
        site.server.until_logged("Ctrl-C")

        def answered() -> bool:
            with contextlib.suppress(ConnectionError):
                return ask(site, "/").status == 200
            return False

        eventually(answered, what="an answer")
        assert site.curl("/").returncode != 0
        assert "HTTP/3\n" in site.server.log()


def test_a_stop_lets_requests_finish(begin: Begin, tmp_path: Path) -> None:
    """SIGTERM: the request that runs is answered, and the exit code is 0."""

    async def main(site: Site) -> None:
        async with http_3(site.address, site.ca) as client:
            number = client.begin("GET", "/slow/1", host="localhost")
            await asyncio.to_thread(eventually, (tmp_path / "slow").exists, what="the begin of the request")
            site.server.signal(15)
            assert (await client.answer(number)).body == b"slept"

    with begin() as site:
        asyncio.run(main(site))
        assert site.server.wait(20) == 0
