"""The reference of all settings in Markdown, generated from the table."""

from __future__ import annotations

from typing import Any

from tlsrun.settings.table import (
    DEFAULTS,
    SPECS,
    Spec,
    bottle_key,
    environment_variable,
    flag,
    flask_key,
    option_name,
)

_HEAD = """\
# Settings

Every setting can be given in the application's own configuration, in the environment, on the command line, or as
a keyword in the program. The strongest place wins: the command line or the keyword of the call that starts the
server, then the environment, then the application's configuration, then the default. `tlsrun settings show` says
which value is in force and who set it.
"""


def shown(name: str, value: Any) -> str:
    """A value in readable form; secrets are hidden."""
    if SPECS[name].secret and value is not None:
        return "(hidden)"
    if value is None or value == {} or value == ():
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join("(PEM text)" if "-----BEGIN" in one else one for one in value)
    if isinstance(value, str) and "-----BEGIN" in value:
        return "(PEM text)"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _entry(name: str, spec: Spec) -> str:
    rows = [
        ("Flask", f'`app.config["{flask_key(name)}"]`'),
        ("Bottle", f'`app.config["{bottle_key(name)}"]`, `run(server="tls", {name}=…)`'),
        ("environment", _variables(name, spec)),
        ("command line", _flags(name, spec)),
        ("takes", spec.kind.expects),
        ("default", shown(name, getattr(DEFAULTS, name))),
        ("example", f"`{spec.example}`"),
    ]
    table = "\n".join(f"| {label} | {text} |" for label, text in rows)
    return f"## {name}\n\n{spec.help}\n\n| | |\n|---|---|\n{table}\n"


def _variables(name: str, spec: Spec) -> str:
    own = f"`{environment_variable(name)}`"
    return own if spec.secret else f"{own}, under `flask` also `FLASK_TLSRUN_{option_name(name).upper()}`"


def _flags(name: str, spec: Spec) -> str:
    long = flag(name)
    if long is None:
        return "none: a list of processes would show it"
    words = f"`{long}`" if spec.short is None else f"`-{spec.short}`, `{long}`"
    if spec.kind.metavar == "BOOLEAN":
        return f"{words}, `--no-{long.removeprefix('--')}`"
    return f"{words}, may be given several times" if spec.kind.repeatable else words


def settings_reference() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(_entry(name, spec) for name, spec in SPECS.items())])
