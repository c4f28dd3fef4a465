"""``server_options`` for Granian: what there is, and what follows from the plan."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.certs import Paths
from tests.support.plans import make_plan
from tests.support.servers import need
from tlsrun.servers import granian
from tlsrun.tls.policy import Policy


@pytest.fixture(autouse=True)
def _granian() -> None:
    need("granian")


def _parameters(cert: Paths, options: dict[str, Any], **more: Any) -> dict[str, Any]:
    from tlsrun.servers.granian.options import read

    given = {"http": ("2", "1.1"), **more}
    return read(make_plan("granian", cert.fullchain, cert.key, server_options=options, **given))


def test_every_parameter_is_known() -> None:
    """What the installed Granian has is allowed or refused by name; a new one is noticed here."""
    from tlsrun.servers.granian import options

    assert granian.SERVER.option_names() == set(options._ALLOWED) | set(options._REFUSED)


def test_ours(localhost_cert: Paths) -> None:
    """What follows from the plan."""
    ours = _parameters(localhost_cert, {}, threads=7, workers=3)
    assert (ours["workers"], ours["blocking_threads"], ours["port"]) == (3, 7, 8443)
    assert (str(ours["http"]), str(ours["ssl_protocol_min"]), str(ours["interface"])) == ("auto", "tls1.2", "wsgi")
    assert ours["respawn_failed_workers"] is True
    assert _parameters(localhost_cert, {})["blocking_threads"] == 4
    assert str(_parameters(localhost_cert, {}, policy=Policy(min_version="1.3"))["ssl_protocol_min"]) == "tls1.3"
    assert str(_parameters(localhost_cert, {}, http=("2",))["http"]) == "2"
    assert str(_parameters(localhost_cert, {}, http=("1.1",))["http"]) == "1"
    assert str(_parameters(localhost_cert, {}, quiet=True)["log_level"].value) == "warning"


def test_settings_of_both_versions(localhost_cert: Paths) -> None:
    """A mapping, or JSON, becomes Granian's own object."""
    given = {"http1_settings": '{"keep_alive": false}', "http2_settings": {"max_concurrent_streams": 50}}
    parameters = _parameters(localhost_cert, given)
    assert parameters["http1_settings"].keep_alive is False
    assert parameters["http2_settings"].max_concurrent_streams == 50
