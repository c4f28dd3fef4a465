"""The reference of findings in Markdown, generated from the table: a page per code, and a page that lists them."""

from __future__ import annotations

from tlsrun.check.code import Area, Code, Severity
from tlsrun.check.codes import CODES

_HEAD = """\
# Findings

What `flask tls check` and `tlsrun check` may find. A code never changes its meaning and is never reused for another
finding. `tlsrun check --list` prints this page, `tlsrun check --explain TLS111` one of the pages that it leads to.
[How to check](../../how-to/check.md) says how to use them.
"""

_TABLE_HEAD = ("| code | name | severity | finding |", "|---|---|---|---|")

_PHASES = {
    Area.FILES: "Files and certificates",
    Area.CONFIGURATION: "Configuration",
    Area.SERVER: "Server",
    Area.LIVE: "The running server, from outside",
    Area.APPLICATION: "Application",
}

_SEVERITIES = {
    Severity.ERROR: "error: people are kept out, or others let in; the check ends with 2",
    Severity.WARNING: "warning: it hurts some people, or all of them some day; with `--strict` the check ends with 1",
    Severity.INFO: "info: good to know",
}


def page(code: Code) -> str:
    """The page of a code."""
    return (
        f"# {code.code}: {code.title}\n\n"
        f"`{code.slug}`, {code.phase.value}, {_SEVERITIES[code.severity]}.\n\n"
        f"## Why it matters\n\n{code.why}\n\n"
        f"## How to fix it\n\n{code.remedy}\n\n"
        "[All findings](README.md)\n"
    )


def listing() -> str:
    """The page that lists all codes by area."""
    parts = [_HEAD]
    for phase, title in _PHASES.items():
        rows = [
            f"| [{one.code}]({one.code}.md) | {one.slug} | {one.severity.value} | {one.title} |"
            for one in CODES.values()
            if one.phase is phase
        ]
        parts.append("\n".join([f"## {title}\n", *_TABLE_HEAD, *rows, ""]))
    return "\n".join(parts)


def pages() -> dict[str, str]:
    """File name -> page."""
    return {"README.md": listing(), **{f"{code}.md": page(one) for code, one in CODES.items()}}
