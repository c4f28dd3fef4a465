"""Settings that a script passes to ``run()``: they apply when it is run, and importing it does not show them."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from tlsrun.apps.statements import parsed
from tlsrun.settings.layers import BOTTLE_KEYWORDS
from tlsrun.settings.table import SPECS, flag


def run_keywords(file: Path, *, extended: bool) -> list[dict[str, Any]]:
    """The calls of ``run()`` in a file that serve HTTPS and name settings.

    Arguments:
        extended: whether the application uses TLSRun, so that `app.run()` serves HTTPS.

    Returns:
        for each call its line and the equivalent flags, with ``…`` for values that are not literals.
    """
    nodes = ast.walk(parsed(file))
    calls = [node for node in nodes if isinstance(node, ast.Call) and _is_ours(node, extended=extended)]
    found = [{"file": str(file), "line": call.lineno, "flags": _flags(call)} for call in calls]
    return [one for one in found if one["flags"]]


def _is_ours(call: ast.Call, *, extended: bool) -> bool:
    """Whether it is `app.run()` of an application with TLSRun, or `bottle.run(server="tls")`."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name != "run":
        return False
    server = next((_literal(keyword.value) for keyword in call.keywords if keyword.arg == "server"), "")
    return server.startswith("tls") or (extended and isinstance(call.func, ast.Attribute))


def _flags(call: ast.Call) -> list[str]:
    flags = []
    for keyword in call.keywords:
        name = BOTTLE_KEYWORDS.get(keyword.arg or "", keyword.arg or "")
        value = _literal(keyword.value)
        if name == "server":  # bottle_tls: "tls", or "tls-gunicorn"
            value = value.removeprefix("tls").removeprefix("-")
        if name in SPECS and value and (spelled := flag(name)):
            flags.append(f"{spelled} {value}")
    return flags


def _literal(node: ast.expr) -> str:
    """A literal as one would type it; an ellipsis for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float)):
        return str(node.value)
    return "…"
