"""The table, and what is derived from it."""

from __future__ import annotations

import pytest

from tlsrun.settings.layers import bottle_layer, environment_layer, flask_layer, keyword_layer, resolve
from tlsrun.settings.table import SPECS, Settings, bottle_key, environment_variable, flag, flask_key


@pytest.mark.parametrize("name", SPECS)
def test_every_setting_can_be_given_in_every_place(name: str) -> None:
    """One declaration is a Flask key, a Bottle key, a variable and a keyword; each example is valid."""
    example = SPECS[name].example
    layers = {
        "flask": flask_layer({flask_key(name): example}),
        "bottle": bottle_layer({bottle_key(name): example}),
        "environment": environment_layer({environment_variable(name): example}),
        "keyword": keyword_layer({name: example}, "bottle.run()"),
    }
    values = {place: getattr(resolve([layer]).settings, name) for place, layer in layers.items()}
    assert all(not resolve([layer]).problems for layer in layers.values())
    assert len({str(value) for value in values.values()}) == 1
    assert values["flask"] != getattr(Settings(), name)


def test_a_secret_has_no_flag() -> None:
    """A password on a command line stands in every list of processes."""
    assert flag("key_password") is None
    assert flag("key_password_file") == "--key-password-file"
