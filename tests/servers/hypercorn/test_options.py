"""``server_options`` for Hypercorn: what there is, and what is different here by default."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.certs import Paths
from tests.support.plans import make_plan
from tests.support.servers import need
from tlsrun.servers import hypercorn


@pytest.fixture(autouse=True)
def _hypercorn() -> None:
    need("hypercorn")


def _options(cert: Paths, **more: Any) -> dict[str, Any]:
    from tlsrun.servers.hypercorn.options import read

    return read(make_plan("hypercorn", cert.fullchain, cert.key, http=("3", "2", "1.1"), **more))


def test_every_option_is_known() -> None:
    """What the installed Hypercorn has is allowed or refused by name; a new one is noticed here."""
    from tlsrun.servers.hypercorn import options

    found = hypercorn.SERVER.option_names() - {"log", "ssl_enabled"}  # made from the others
    unseen = {"application_path", "logger_class"}  # a declaration without a value, and a class
    assert found == (set(options._ALLOWED) | set(options._REFUSED)) - unseen


def test_ours(localhost_cert: Paths) -> None:
    """What is different here by default."""
    ours = _options(localhost_cert)
    assert (ours["loglevel"], ours["graceful_timeout"], ours["keep_alive_timeout"]) == ("INFO", 30, 15)
    assert _options(localhost_cert, quiet=True)["loglevel"] == "WARNING"
