"""PEP 3333 to the letter, under the servers whose WSGI side is ours."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.site import Site, serving
from tests.support.certs import Paths
from tests.support.process import eventually
from tests.support.servers import need


@pytest.fixture(scope="module", params=["granian", "hypercorn"])
def site(
    request: pytest.FixtureRequest, localhost_cert: Paths, ca_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The site under each of them."""
    need(request.param)
    with serving(localhost_cert, ca_file, tmp_path_factory.mktemp("site"), server=request.param) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/lazy", 203, "lazy"),
        ("/nothing", 203, ""),
        ("/write", 200, "written, returned"),
        ("/replaced", 502, "an error page"),
        ("/status/200", 200, "body"),
        ("/status/999", 999, "body"),
    ],
)
def test_what_is_allowed(site: Site, path: str, status: int, body: str) -> None:
    """start_response in the first part, write(), an answer replaced in time."""
    answer = site.get(path)
    assert (answer.status, answer.text) == (status, body)


@pytest.mark.parametrize("path", ["/silent", "/twice", "/status/099", "/status/1000", "/status/100", "/status/x"])
def test_what_is_no_answer(site: Site, path: str) -> None:
    """It is a 500 and a line in the log, and the worker lives on."""
    workers = site.workers()
    assert site.get(path).status == 500
    assert site.workers() == workers
    site.server.until_logged("RuntimeError")


@pytest.mark.parametrize("path", ["/half", "/not-bytes"])
def test_an_answer_that_breaks_off(site: Site, path: str) -> None:
    """Its client does not take it for complete."""
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        site.get(path)


@pytest.mark.parametrize(("how", "status"), [("well", 200), ("raises", 500), ("silent", 500)])
def test_what_is_returned_is_closed(site: Site, how: str, status: int) -> None:
    """close() runs whatever happens, and its failure is logged."""
    assert site.get(f"/closing/{how}").status == status
    eventually((site.folder / f"closed-{how}").exists, what="close()")
    site.server.until_logged("could not be closed")


@pytest.mark.parametrize("rest", ["nothing", "raises", "more", "waits"])
def test_an_answer_that_is_whole_before_its_end(site: Site, rest: str) -> None:
    """The client has it at once, and the application comes to its end."""
    answer = site.get(f"/whole/{rest}", timeout=20)
    assert (answer.status, answer.text) == (200, "whole")
    eventually((site.folder / f"after-{rest}").exists)
    expected = {"raises": "after the answer", "more": "longer than its Content-Length"}.get(rest)
    if expected:
        site.server.until_logged(expected)
