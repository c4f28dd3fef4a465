"""Values that give something to each of several names."""

from __future__ import annotations

from typing import Any

import pytest

from tlsrun.settings.kinds import Kind
from tlsrun.settings.mapping_kinds import CERTIFICATES, MAPPING


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (CERTIFICATES, {"a.test": {"cert": "a.pem", "chain": ["b.pem", "c.pem"]}},
         {"a.test": ({"cert": "a.pem", "chain": ("b.pem", "c.pem")},)}),
        (MAPPING, {"max_requests": 5}, {"max_requests": 5}),
        (MAPPING, "max_requests=5 'accesslog=/var/log/my app.log'",
         {"max_requests": "5", "accesslog": "/var/log/my app.log"}),
        (MAPPING, '{"max_requests": 5}', {"max_requests": 5}),
        (MAPPING, ("a=1", "b=x=y"), {"a": "1", "b": "x=y"}),
        (MAPPING, ("a=1 2", ' {"b": [3], "a": null}'), {"a": None, "b": [3]}),
    ],
)  # fmt: skip
def test_takes(kind: Kind, given: Any, value: Any) -> None:
    """Python values and their text mean the same."""
    assert kind.parse(given) == value


@pytest.mark.parametrize(
    "given",
    [
        "max_requests",
        {1: 2},
        "{not json",
        7,
        ("{not json",),
        ("[1]",),
        ({"a": 1},),
    ],
)
def test_refuses(given: Any) -> None:
    """What cannot be meant is refused."""
    with pytest.raises((ValueError, TypeError)):
        MAPPING.parse(given)
