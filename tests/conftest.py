"""Fixtures of every test: a certificate authority, a certificate for localhost, a home of its own."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support import representatives
from tests.support.certs import Authority, Paths
from tests.support.order import longest_first


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Choose representatives before ``-m`` chooses by marks, and put in order what is left for workers side by side."""
    representatives.pytest_collection_modifyitems(items)
    yield
    if hasattr(config, "workerinput"):
        longest_first(items)


@pytest.fixture(scope="session")
def ca() -> Authority:
    """The authority that the run's clients trust; one intermediate signs the leaves."""
    return Authority(intermediates=1)


@pytest.fixture(scope="session")
def ca_file(ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its root, as a file for clients."""
    return ca.write(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def localhost_cert(ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A certificate for localhost, 127.0.0.1 and ::1, as files."""
    return ca.leaf().write(tmp_path_factory.mktemp("localhost"))


#: What a developer's shell may hold and a server would believe; TLSRUN_TEST_* names programs for the tests.
_SETTINGS = ("CAROOT", "TLSRUN_", "FLASK_", "BOTTLE_", "GUNICORN_", "UWSGI_", "WERKZEUG_")


def _isolate(patch: pytest.MonkeyPatch, home: Path) -> None:
    patch.setenv("HOME", str(home))
    patch.setenv("XDG_DATA_HOME", str(home / ".local" / "share"))
    runtime = home / "run"
    runtime.mkdir(mode=0o700)
    patch.setenv("XDG_RUNTIME_DIR", str(runtime))
    for name in os.environ:
        if name.startswith(_SETTINGS) and not name.startswith("TLSRUN_TEST_"):
            patch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Servers that a wider fixture starts see neither the developer's home nor his settings."""
    with pytest.MonkeyPatch.context() as patch:
        _isolate(patch, tmp_path_factory.mktemp("home"))
        yield


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for each test; TLSRUN_*, FLASK_* and their like are not set."""
    folder = tmp_path_factory.mktemp("home")
    _isolate(monkeypatch, folder)
    return folder
