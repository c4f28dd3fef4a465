"""Settings that take effect in files that start `tlsrun run`, or a server that is told by its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.export import reading
from tests.export.matrix import COLUMNS, NARROW, Files, exported, samples, settings_with
from tlsrun import export
from tlsrun.settings.layers import environment_layer, resolve
from tlsrun.settings.table import SPECS, Settings

_TOLD = [column for column in COLUMNS if column[0] in ("systemd", "procfile", *export.ELSEWHERE)]
_ON_THE_LINE = {"workers": "--workers 2", "threads": "--threads 2"}


@pytest.mark.parametrize("column", _TOLD, ids="-".join)
@pytest.mark.usefixtures("in_project")
def test_told(column: tuple[str, str], files: Files, place: Path) -> None:
    """What the program is told is what was given, each setting that takes effect; none is lost on the way."""
    runs = export.runs_tlsrun(*column)
    names = [name for name in settings_with(column, "E") if runs or name not in ("user", "group", "server")]
    for chosen in ([one for one in names if (one in NARROW) is narrow] for narrow in (False, True)):
        if not chosen or (chosen == ["bind"] and not runs):
            continue
        done = exported(column, chosen, files)
        assert done.exit_code == 0, done.stderr
        env, command = reading.told(column, done.stdout, place)
        settings = resolve([environment_layer(env)])
        assert settings.problems == ()
        for name in chosen:
            _assert_told(column, name, samples(column, files)[name], settings.settings, done.stdout, command)


def _assert_told(
    column: tuple[str, str], name: str, words: list[str], settings: Settings, text: str, command: list[str]
) -> None:
    here, runs = getattr(settings, name), export.runs_tlsrun(*column)
    if name in ("user", "group"):
        assert f"\n{name.capitalize()}={words[1]}\n" in text
    elif not runs and name in _ON_THE_LINE and (name, column[1]) != ("workers", "uwsgi"):
        line = " ".join(command)
        assert _ON_THE_LINE[name] in line or "${WEB_CONCURRENCY:-2}" in text, line
    elif name == "workers" and not runs:
        assert "--processes 2" in " ".join(command)
    elif name in ("client_ca", "client_auth") and not runs:
        assert "ssl-client-cert" in settings.proxy
    elif name in ("cert", "key", "client_ca", "client_crl", "key_password_file", "bind") and here != words[-1]:
        # Where the service, or the container, has it.
        assert here is not None, name
    elif name == "proxy":
        assert "nginx" in here
    elif name == "http" and not runs:
        assert here == ()
    else:
        given = words[1] if len(words) == 2 else True
        assert here == SPECS[name].kind.parse(given), name
