"""Flags derived from the table, and the layers click read."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from tlsrun.cli.options import command_line_layers, setting_options
from tlsrun.settings.layers import Resolution, resolve
from tlsrun.settings.table import SPECS, flag

seen: list[Resolution] = []


@click.command()
@setting_options
@click.pass_context
def command(context: click.Context, /, **values: object) -> None:
    """Take every setting."""
    seen.append(resolve(command_line_layers(context, values)))


def _given(*words: str, **variables: str) -> Resolution:
    result = CliRunner().invoke(command, words, env=variables, auto_envvar_prefix="FLASK_TLSRUN")
    assert result.exit_code == 0, result.output
    return seen.pop()


def test_help_lists_every_flag() -> None:
    """Each setting that may stand on a command line has its flag, with words; secrets have none."""
    text = CliRunner().invoke(command, ["--help"]).output
    for name in SPECS:
        assert (flag(name) or "--nothing") in text or flag(name) is None
    assert "--key-password " not in text


def test_a_flag_and_its_origin() -> None:
    """What was typed is known by the flag."""
    given = _given("--port", "8443", "--server-options", "a=1", "--server-options", "b=2", "--no-reload-certificates")
    assert (given.settings.port, given.settings.server_options) == (8443, {"a": "1", "b": "2"})
    assert given.settings.reload is False
    assert given.spelling("port") == "--port"
    assert given.spelling("reload") == "--reload-certificates"


def test_clicks_own_variables() -> None:
    """Under `flask`, FLASK_TLSRUN_PORT is a layer of the environment."""
    given = _given(FLASK_TLSRUN_PORT="8443", FLASK_TLSRUN_SERVER_OPTIONS="a=1 b=2")
    assert given.settings.port == 8443
    assert given.settings.server_options == {"a": "1", "b": "2"}
    assert given.origins["port"].layer == "environment"
    assert given.spelling("port") == "FLASK_TLSRUN_PORT in the environment"


def test_json_and_pairs_are_merged() -> None:
    """A mapping is given as JSON, as NAME=VALUE whose value may have spaces, or as both; what comes later wins."""
    given = _given("--server-options", '{"max_requests": 1000, "a": 1}', "--server-options", "a=1 2")
    assert given.settings.server_options == {"max_requests": 1000, "a": "1 2"}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ('{"max_requests": 1000, "accesslog": "my log"}', {"max_requests": 1000, "accesslog": "my log"}),
        ("'accesslog=my log' a=1", {"accesslog": "my log", "a": "1"}),
    ],
)
def test_a_variable_is_one_text(text: str, options: dict[str, Any]) -> None:
    """JSON and quotes in click's own variable mean what they mean in TLSRUN_SERVER_OPTIONS."""
    assert _given(FLASK_TLSRUN_SERVER_OPTIONS=text).settings.server_options == options


def test_nothing_given() -> None:
    """A default of click is no origin."""
    assert not _given().origins
