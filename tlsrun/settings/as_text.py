"""A setting's value as text for an environment variable, from which the same value is parsed again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from tlsrun.settings.kinds import CHAIN
from tlsrun.settings.table import SPECS


def as_text(name: str, value: Any) -> str | None:
    """The text for ``value``, which is a result of `Kind.parse`.

    Returns:
        None if no text is parsed as that value: a function object, or a path that contains the separator of paths.
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
