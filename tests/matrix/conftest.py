"""One application under every server; Flask and Bottle under every server that speaks more than HTTP/1.1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import frameworks
from tests.support.certs import Paths
from tests.support.frameworks import FRAMEWORKS, MODERN, Begin, beginning
from tests.support.servers import need
from tests.support.sites import SERVERS, Serve, serving


@pytest.fixture(params=SERVERS)
def serve(request: pytest.FixtureRequest, ca_file: Path, localhost_cert: Paths) -> Serve:
    """Starts the site under one of the servers; see `serving`."""
    need(request.param)
    return serving(request.param, ca_file, localhost_cert)


@pytest.fixture(params=SERVERS, scope="module")
def serve_all(request: pytest.FixtureRequest, ca_file: Path, localhost_cert: Paths) -> Serve:
    """The same for a site that all tests of a module share."""
    need(request.param)
    return serving(request.param, ca_file, localhost_cert)


@pytest.fixture(params=[(name, framework) for name in MODERN for framework in FRAMEWORKS], ids="-".join)
def begin(request: pytest.FixtureRequest, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> Begin:
    """Starts a site for one test."""
    return beginning(*request.param, localhost_cert, ca_file, tmp_path)


@pytest.fixture(params=[(name, framework) for name in MODERN for framework in FRAMEWORKS], ids="-".join, scope="module")
def site(
    request: pytest.FixtureRequest, localhost_cert: Paths, ca_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[frameworks.Site]:
    """A site that the tests of a module share."""
    folder = tmp_path_factory.mktemp("site")
    with beginning(*request.param, localhost_cert, ca_file, folder)() as running:
        yield running
