"""`tlsrun status`: what each running server of this user serves."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterator
from typing import Any

import click

from tlsrun.cli.console import USAGE_ERROR, say
from tlsrun.status import ProcessStatus, running

_NOBODY = "No server of this user is running. As root, this command shows those of every user."


def status_lines(found: list[ProcessStatus]) -> Iterator[str]:
    """The lines for a person: processes that serve the same are told together."""
    told: dict[tuple[str, str, str], list[int]] = {}
    for status in found:
        what = json.dumps([_but_moments(one) for one in status.certificates])
        told.setdefault((status.endpoint, status.server, what), []).append(status.pid)
    by_pid = {status.pid: status for status in found}
    for (endpoint, server, _), pids in told.items():
        yield f"https://{endpoint}  {server}, process {', '.join(map(str, pids))}"
        for certificate in by_pid[pids[0]].certificates:
            yield from _certificate_lines(certificate)


def _certificate_lines(certificate: dict[str, Any]) -> Iterator[str]:
    not_after = datetime.datetime.fromisoformat(certificate["not_after"])
    days = (not_after - datetime.datetime.now(datetime.timezone.utc)).days
    chosen = f" (chosen by SNI for {', '.join(certificate['hosts'])})" if certificate["hosts"] else ""
    yield f"  names        {', '.join(certificate['names']) or 'none'}{chosen}"
    yield f"  not after    {not_after:%Y-%m-%d %H:%M} UTC, {days} days left"
    yield f"  serial       {certificate['serial']}"
    yield f"  fingerprint  SHA-256 {certificate['fingerprint']}"
    yield from _loading_lines(certificate)
    if clients := certificate.get("clients"):
        yield f"  clients      show certificates: {clients['mode']}"
        yield from _loading_lines(clients)


def _loading_lines(loaded: dict[str, Any]) -> Iterator[str]:
    yield f"  loaded       {_moment(loaded['loaded_at'])} from {', '.join(loaded['files']) or 'inline text'}"
    if loaded["last_error"]:
        yield f"  NOT RENEWED  {_moment(loaded['last_error_at'])}: {loaded['last_error']}"


def _but_moments(certificate: dict[str, Any]) -> dict[str, Any]:
    clients = certificate.get("clients")
    return {**certificate, "loaded_at": None, "clients": clients and {**clients, "loaded_at": None}}


def _has_failed(certificate: dict[str, Any]) -> bool:
    return bool(certificate["last_error"] or (certificate.get("clients") or {}).get("last_error"))


def _moment(text: str) -> str:
    return f"{datetime.datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC"


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="For machines: one JSON list, an entry for each process.")
@click.pass_context
def status_command(context: click.Context, /, as_json: bool) -> None:
    """Say which certificates the running servers of this user serve; as root, those of every user.

    \b
    tlsrun status            names, serial, fingerprint, days left, when and from where they were loaded
    tlsrun status --json     the same, for machines

    The exit code is 0 when a server runs and serves what its files hold, 1 when a renewal failed, 2 when none runs.
    """
    found = running()
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(status) for status in found], indent=2))
    else:
        for line in status_lines(found):
            # What another user's file holds is not to move the cursor.
            click.echo("".join(sign if sign.isprintable() else "?" for sign in line))
    if not found:
        say(_NOBODY)
        context.exit(USAGE_ERROR)
    failed = any(_has_failed(certificate) for status in found for certificate in status.certificates)
    context.exit(1 if failed else 0)
