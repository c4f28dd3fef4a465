"""A setting's value as one text: what a variable of the environment has to hold so that it is read as that value."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from tlsrun.settings.kinds import CHAIN
from tlsrun.settings.table import SPECS


def as_text(name: str, value: Any) -> str | None:
    """The text of ``value``, as `Kind.parse` has made it.

    Returns:
        None when no text is read as that value: a function object, a path with the character that stands between two.
    """
    kind = SPECS[name].kind
    try:
        text = _text(value, between=os.pathsep if kind is CHAIN else ",")
        return text if kind.parse(text) == value else None
    except (TypeError, ValueError):
        return None


def _text(value: Any, *, between: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        return between.join(value)
    raise TypeError(type(value))
