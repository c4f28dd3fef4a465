"""Settings that take effect, seen in the program that reads the file: fronts, and servers by their own commands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.export import programs
from tests.export.matrix import ANSWERS, COLUMNS, Files, samples, settings_with
from tests.export.probes import PROBES, SECOND_PROBES
from tests.support.clients import free_port
from tests.support.process import ROOT, Server, run
from tlsrun.export.notes import FRONTS

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
