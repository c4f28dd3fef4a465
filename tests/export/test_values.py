"""Awkward values in every file: its own reader gives back what was given, or nothing is written and a line says why."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.export import fronts, programs, reading, values
from tests.export.matrix import COLUMNS
from tests.export.values import Column, Given
from tests.support.certs import Authority
from tests.support.clients import curl
from tests.support.process import Server
from tlsrun import export
from tlsrun.settings.layers import environment_layer, resolve
from tlsrun.settings.table import SPECS

#: TLS passed through has nothing of the kind; systemd's "uwsgi" is written as its "http".
_COLUMNS = [column for column in COLUMNS if column not in (("haproxy", "tls"), ("systemd", "uwsgi"))]


@pytest.fixture(scope="module")
def own(ca: Authority, project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """See `values.make_files`."""
    return values.make_files(ca, project, tmp_path_factory.mktemp("values"))


def written(column: Column, own: dict[str, Path], place: Path) -> Iterator[tuple[str, Given, Path]]:
    """Files that have together all values in all settings, what is in each, and a folder for it."""
    packed = {name: values.packs(column, name) for name in values.asked(column)}
    for number in range(max(map(len, packed.values()))):
        folder = place / str(number)
        folder.mkdir(mode=0o755)
        chosen = {name: several[min(number, len(several) - 1)] for name, several in packed.items()}
        asking = values.given(column, chosen, own, folder)
        done = values.exported(column, asking, own, folder)
        assert done.exit_code == 0, (column, done.output, done.exception)
        yield done.stdout, asking, folder


@pytest.mark.parametrize("column", _COLUMNS, ids="-".join)
@pytest.mark.usefixtures("in_project")
def test_refused(column: Column, own: dict[str, Path], place: Path) -> None:
    """What the format cannot say, each by a line of its own; and nothing else is."""
    names = values.asked(column)
    for number, value in enumerate(values.VALUES):
        folder = place / str(number)
        several = {name: [value] for name in names if name != "redirect_exempt" or values.is_one_path(value)}
        done = values.exported(column, values.given(column, several, own, folder), own, folder)
        expected = {name for name in several if values.unsaid(column, name, _as_it_stands(name, value))}
        refused = {_named(line) for line in done.stderr.split("\n") if line.startswith("Error: ")}
        assert refused == expected, (value, done.stderr)
        assert done.exit_code == (2 if refused else 0), (value, done.exception)
        if refused:
            assert done.stdout == ""
            assert all(line.startswith("Error: ") for line in done.stderr.splitlines())


def _as_it_stands(name: str, value: str) -> str:
    """JSON and Python have escapes of their own."""
    return (
        json.dumps(value, ensure_ascii=False) if name == "server_options" else repr(value) if name == "app" else value
    )


def _named(line: str) -> str:
    found = re.fullmatch(r"Error: (?:--)?([a-z_-]+)\b.*: .+\. .+\.( \[TLS\d+\])?", line)
    assert found, line
    return "app" if found[1] == "inapp" else found[1].replace("-", "_")


def assert_told(env: Mapping[str, str], asking: Given, elsewhere: tuple[str, ...] = ()) -> None:
    """The variables hold what was given.

    Arguments:
        elsewhere: settings whose files are somewhere else for the program.
    """
    assert env["TLSRUN_APP"] == asking.app
    settings = resolve([environment_layer({name: one for name, one in env.items() if name != "TLSRUN_APP"})])
    assert settings.problems == ()
    for name in asking.words:
        if name not in elsewhere:
            assert getattr(settings.settings, name) == SPECS[name].kind.parse(asking.expected[name]), name


_TOLD = [column for column in _COLUMNS if column[0] in ("systemd", "procfile", *export.ELSEWHERE)]
_SELF = ("cert", "key", "client_ca", "client_crl", "key_password_file")


@pytest.mark.parametrize("column", _TOLD, ids="-".join)
@pytest.mark.usefixtures("in_project")
def test_told(column: Column, own: dict[str, Path], place: Path) -> None:
    """What starts `tlsrun run`, or a server that reads its environment."""
    for text, asking, folder in written(column, own, place):
        env, command = reading.told(column, text, folder)
        if export.runs_tlsrun(*column):
            if column[0] != "compose":  # the command is the image's
                assert command[-1] == asking.app
            env = {"TLSRUN_APP": asking.app, **env}
        assert_told(env, asking, _SELF if column[0] in ("systemd", "dockerfile", "kubernetes") else ())


@pytest.mark.parametrize("column", fronts.CASES, ids="-".join)
@pytest.mark.usefixtures("in_project")
def test_taken(column: Column, own: dict[str, Path], place: Path, project: Path) -> None:
    """A front reads the certificates where they are, in its own check; its other side is told its application."""
    for text, asking, folder in written(column, own, place):
        fronts.front_words(*column, text, folder, project)
        if column[1] == "wsgi":
            [line] = re.findall(r"environ\[.TLSRUN_APP.\] = (.*)", (project / "wsgi.py").read_text())
            assert ast.literal_eval(line) == asking.app
        else:
            assert reading.application_side(text, folder)["TLSRUN_APP"] == asking.app


@pytest.mark.parametrize("column", [("nginx", "http"), ("apache", "proxy")], ids="-".join)
@pytest.mark.usefixtures("in_project")
def test_challenges(column: Column, own: dict[str, Path], place: Path, project: Path, ca_file: Path) -> None:
    """The folder of challenges is that which was given: the program finds a file in it."""
    text, asking, folder = next(written(column, own, place))
    challenge = Path(asking.expected["acme_webroot"], ".well-known", "acme-challenge", "token")
    challenge.parent.mkdir(parents=True)
    challenge.write_text("proof")
    words, env = fronts.front_words(*column, text, folder, project)
    ports = {
        int(port) for port in re.findall(r"^\s*(?:listen|Listen) 127\.0\.0\.1:(\d+)\b(?!.*ssl)", text, re.MULTILINE)
    }
    with Server(words, env=env) as server:
        for port in ports:
            server.until_listening(("127.0.0.1", port))
        answers = [curl(f"http://localhost:{port}/.well-known/acme-challenge/token", ca_file) for port in ports]
        assert "proof" in [answer.body for answer in answers if answer.status == 200], server.log()


@pytest.mark.parametrize("form", ["edge", "native"])
@pytest.mark.usefixtures("in_project")
def test_uwsgi(form: str, own: dict[str, Path], place: Path) -> None:
    """It reads its ini file; the files of `https` and `sni` it reads before it goes on."""
    for text, asking, folder in written(("uwsgi-ini", form), own, place):
        (folder / "site.ini").write_text(text)
        env = reading.uwsgi(programs._uwsgi(form), folder / "site.ini")
        assert env["TLSRUN_APP"] == asking.app
        if form == "edge":
            assert_told(env, asking)


Load = Callable[..., list[dict[str, Any]]]
_LOADERS = [("gunicorn-conf", "file.py", reading.gunicorn), ("hypercorn-toml", "file.toml", reading.hypercorn)]


@pytest.mark.parametrize(("target", "name", "load"), _LOADERS, ids=["gunicorn", "hypercorn"])
@pytest.mark.usefixtures("in_project")
def test_loaded(target: str, name: str, load: Load, own: dict[str, Path], place: Path) -> None:
    """By the program's own loader; the contexts are made of the files."""
    made = list(written((target, ""), own, place))
    for text, _, folder in made:
        (folder / name).write_text(text)
    for found, (text, asking, folder) in zip(load(*(one / name for _, _, one in made)), made, strict=True):
        assert (found["certfile"], found["keyfile"]) == (asking.expected["cert"], asking.expected["key"])
        env = found.get("env") or reading.application_side(text, folder)
        assert env["TLSRUN_APP"] == asking.app


@pytest.mark.parametrize("column", [one for one in _TOLD if one != ("procfile", "")], ids="-".join)
@pytest.mark.usefixtures("in_project")
def test_words_that_mean_something(column: Column, own: dict[str, Path], place: Path) -> None:
    """A host that is called yes stays a text, and so does a number."""
    words = {"hosts": ["--hosts", "yes,null,123,1e3,0x1f"]}
    asking = Given(words=words, expected={"hosts": ["yes", "null", "123", "1e3", "0x1f"]}, app="inapp:make('')")
    done = values.exported(column, asking, own, place)
    assert done.exit_code == 0, done.stderr
    env, _ = reading.told(column, done.stdout, place)
    assert_told({"TLSRUN_APP": asking.app, **env}, asking)
