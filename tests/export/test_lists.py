"""Revocation lists: who has that of the leaves' authority alone is not shut out, and every one that is there counts."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.export import fronts, programs
from tests.support.certs import Authority, Paths
from tests.support.clients import free_port
from tests.support.process import Server, eventually

#: What goes by the lists that are there; nginx wants one of every authority.
COLUMNS = [("haproxy", "http"), ("apache", "wsgi"), ("apache", "proxy"), ("gunicorn-conf", "")]


@dataclass(frozen=True, kw_only=True)
class Files:
    """What the settings name, and who comes.

    Arguments:
        trusted, lists: the authorities, and the list of the one that signs the clients, alone.
        more_trusted, more_lists: another authority that has no list, and the root's, which revokes a sister.
        alice, bob: clients; Bob's certificate is revoked.
        mallory: her authority is that sister.
        jo: whose own authority has no list.
    """

    trusted: Path
    lists: Path
    more_trusted: Path
    more_lists: Path
    alice: Paths
    bob: Paths
    mallory: Paths
    jo: Paths


@pytest.fixture(scope="module")
def files(ca: Authority, sister: Authority, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Made once."""
    folder = tmp_path_factory.mktemp("lists")
    other = Authority("an authority without a list")
    bob = ca.leaf("bob@example.org", client=True)
    trusted = ca.root_pem + b"".join(ca.intermediate_pems)
    lists = ca.crl(bob.certificate.serial_number)
    for name, data in {
        "trusted.pem": trusted, "more-trusted.pem": trusted + other.root_pem, "lists.pem": lists,
        "more-lists.pem": lists + ca.crl(sister.line[-1][0].serial_number, level=0),
    }.items():  # fmt: skip
        (folder / name).write_bytes(data)
    return Files(
        trusted=folder / "trusted.pem", lists=folder / "lists.pem", more_trusted=folder / "more-trusted.pem",
        more_lists=folder / "more-lists.pem", bob=bob.write(folder / "bob"),
        alice=ca.leaf("alice@example.org", client=True).write(folder / "alice"),
        mallory=sister.leaf("mallory@example.org", client=True).write(folder / "mallory"),
        jo=other.leaf("jo@example.org", client=True).write(folder / "jo"),
    )  # fmt: skip


@contextlib.contextmanager
def serving(
    column: tuple[str, str], trusted: Path, lists: Path, client: Paths, project: Path, cert: Paths, ca_file: Path
) -> Iterator[programs.Serving]:
    """The program with its file.

    Arguments:
        client: who asks until there is an answer.
    """
    target, form = column
    place = Path(tempfile.mkdtemp(prefix="l-", dir=project))
    place.chmod(0o755)
    port, plain = free_port(), free_port()
    redirect = ["--redirect-port", str(plain)] if target in fronts.FRONTS else []
    text = fronts.export(
        project, target, "inflask:app", *(["--upstream", form] if form else []), "--cert", cert.fullchain, "--key",
        cert.key, "--client-ca", trusted, "--client-crl", lists, "--host", "127.0.0.1", "--port", str(port), *redirect,
        "--socket", place / "s", "--certificates", place,
    )  # fmt: skip

    def ready(server: Server) -> programs.Serving:
        return programs.Serving(port=port, plain=plain, text=text, program=server, ca=ca_file, client=client)

    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, place)
        yield stack.enter_context(programs.started(column, text, place, project, ready))


@pytest.mark.parametrize("column", COLUMNS, ids="-".join)
def test_the_leaves_list_alone(
    column: tuple[str, str], files: Files, project: Path, localhost_cert: Paths, ca_file: Path
) -> None:
    """Most roots publish none: clients come in, each time, and who is on the list does not."""
    with serving(column, files.trusted, files.lists, files.alice, project, localhost_cert, ca_file) as server:
        for _ in range(2):
            answer = server.ask()
            assert answer.status == 200, server.program.log()
            assert "CN=alice@example.org" in answer.text
        assert programs.refused(lambda: server.ask(client=files.bob))


@pytest.mark.parametrize("column", COLUMNS, ids="-".join)
def test_every_list_that_is_there(
    column: tuple[str, str], files: Files, project: Path, localhost_cert: Paths, ca_file: Path
) -> None:
    """An authority without a list takes nothing from the others: whoever is below one that the root revokes is refused.
    Who is signed by one without a list is refused too, but by Apache, whose file says so."""
    with serving(
        column, files.more_trusted, files.more_lists, files.alice, project, localhost_cert, ca_file
    ) as server:  # fmt: skip
        assert server.ask().status == 200, server.program.log()
        assert programs.refused(lambda: server.ask(client=files.bob))
        assert programs.refused(lambda: server.ask(client=files.mallory))
        said = (
            "No list is of CN=an authority without a list: whoever that has signed itself is not looked up"
            in server.text
        )
        assert programs.refused(lambda: server.ask(client=files.jo)) is not said
        assert said is (column[0] == "apache")


def test_nginx_wants_every_list(files: Files, project: Path, localhost_cert: Paths) -> None:
    """It would refuse everybody: nothing is written; the line says what is lacking, and what goes by what is there."""
    words = ["--cert", localhost_cert.fullchain, "--key", localhost_cert.key, "--client-ca", files.trusted,
             "--client-crl", files.lists]  # fmt: skip
    said = fronts.export(project, "nginx", "inflask:app", *words, ok=False)
    assert said.startswith(f"Error: --client-crl: {files.lists} has no list of CN=tlsrun test root, and nginx refuses")
    assert said.endswith("which go by the lists that are there. [TLS222]\n")
    assert len(said.splitlines()) == 1


def test_what_nginx_does_without_one(
    files: Files, ca: Authority, project: Path, localhost_cert: Paths, ca_file: Path, tmp_path: Path
) -> None:
    """As the line says: once a list is lacking, nobody comes in."""
    lists = tmp_path / "lists.pem"
    lists.write_bytes(ca.crl() + ca.crl(level=0))
    whole = serving(("nginx", "http"), files.trusted, lists, files.alice, project, localhost_cert, ca_file)
    with whole as server:
        assert server.ask().status == 200
        lists.write_bytes(ca.crl())
        server.program.signal(signal.SIGHUP)  # nginx's workers of before finish what they are at
        eventually(lambda: server.ask().status == 400, what="a refusal")
