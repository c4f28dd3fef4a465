"""What the built-in server says of itself, and its options."""

from __future__ import annotations

import pytest

from tlsrun.errors import ConfigurationError
from tlsrun.servers import builtin
from tlsrun.servers.builtin.min_data_rate import MinDataRate
from tlsrun.servers.builtin.options import BuiltinOptions, read_options
from tlsrun.settings.mapping import Unsupported
from tlsrun.settings.table import SPECS


def test_has_a_cell_for_every_setting() -> None:
    """Nothing is dropped silently; TLS is all there, and what is not has to do with what the server is."""
    assert builtin.SERVER.facts.mapping.keys() == SPECS.keys()
    unsupported = {name for name, cell in builtin.SERVER.facts.mapping.items() if isinstance(cell, Unsupported)}
    assert {"workers"} <= unsupported <= {"workers", "http"}


def test_is_always_there() -> None:
    """It needs nothing that is not there."""
    facts = builtin.SERVER.probe()
    assert (facts.name, facts.missing, facts.mapping) == ("builtin", None, builtin.SERVER.facts.mapping)
    assert builtin.SERVER.option_names() == BuiltinOptions.__dataclass_fields__.keys()


def test_options_may_be_text() -> None:
    """Values from a command line or an environment are converted."""
    options = read_options({"keep_alive": "2.5", "max_connections": "10", "evalex": "off", "grace": 0})
    assert options == BuiltinOptions(keep_alive=2.5, max_connections=10, evalex=False, grace=0)


def test_every_wrong_option_is_said() -> None:
    """All at once, each with what would do."""
    given = {
        "keepalive": 3, "nonsense": 1, "head_timeout": "soon", "backlog": 1.5, "write_timeout": -1,
        "evalex": "maybe", "reloader_type": "magic", "max_connections": 0, "body_timeout": float("nan"),
    }  # fmt: skip
    with pytest.raises(ConfigurationError) as wrong:
        read_options(given)
    assert [str(problem) for problem in wrong.value.problems] == [
        "keepalive in server_options: the built-in server has no such option. Did you mean keep_alive?",
        "nonsense in server_options: the built-in server has no such option. "
        f"It has: {', '.join(sorted(builtin.SERVER.option_names()))}.",
        "head_timeout in server_options: 'soon' is not a number. Correct the value.",
        "backlog in server_options: 1.5 is not a whole number. Correct the value.",
        "write_timeout in server_options: -1 is not above 0. Correct the value.",
        "evalex in server_options: 'maybe' is neither true nor false. Correct the value.",
        "reloader_type in server_options: 'magic' is not one of auto, stat, watchdog. Correct the value.",
        "max_connections in server_options: 0 is not above 0. Correct the value.",
        "body_timeout in server_options: nan is not above 0. Correct the value.",
    ]


def test_min_data_rate() -> None:
    """A client may fall behind by the given seconds in total, and must average 500 bytes per second."""
    rate = MinDataRate(10)
    assert rate.count(0, 9)
    assert not rate.count(400, 2)
    steady = MinDataRate(10)
    assert all(steady.count(500, 1) for _ in range(1000))
    dripping = MinDataRate(10)
    assert sum(dripping.count(1, 1) for _ in range(1000)) == 10
