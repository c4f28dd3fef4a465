"""`tlsrun status`: the certificates that this user's running servers serve."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterator
from typing import Any

import click

from tlsrun.certificates.validity import expired_words, expires_words, moment, span
from tlsrun.cli.console import USAGE_ERROR, say
from tlsrun.renewal.expiry import Life, Term
from tlsrun.status import ProcessStatus, running

_NOBODY = (
    "No server that tlsrun started is running for this user; as root, this command shows those of every user.\n"
    "A server that was started by its own command (gunicorn, uwsgi, granian, hypercorn) reads its certificates\n"
    "itself, and nothing is known of it here. Ask it: tlsrun cert show https://HOST:PORT"
)


def status_lines(found: list[ProcessStatus], now: datetime.datetime) -> Iterator[str]:
    """The report as text; processes that serve the same are listed together.

    Arguments:
        now: the current time, with its time zone.
    """
    told: dict[tuple[str, str, str], list[int]] = {}
    for status in found:
        what = json.dumps([_but_moments(one) for one in status.certificates])
        told.setdefault((status.endpoint, status.server, what), []).append(status.pid)
    by_pid = {status.pid: status for status in found}
    for (endpoint, server, _), pids in told.items():
        yield f"https://{endpoint}  {server}, process {', '.join(map(str, pids))}"
        for certificate in by_pid[pids[0]].certificates:
            yield from _certificate_lines(certificate, now)


def _certificate_lines(certificate: dict[str, Any], now: datetime.datetime) -> Iterator[str]:
    not_after = datetime.datetime.fromisoformat(certificate["not_after"])
    left = not_after - now
    chosen = f" (chosen by SNI for {', '.join(certificate['hosts'])})" if certificate["hosts"] else ""
    yield f"  names        {', '.join(certificate['names']) or 'none'}{chosen}"
    yield f"  not after    {moment(not_after)}" + (f", {span(left)} left" if left > datetime.timedelta(0) else "")
    yield from _expiry_lines(certificate, now)
    yield f"  serial       {certificate['serial']}"
    yield f"  fingerprint  SHA-256 {certificate['fingerprint']}"
    yield from _loading_lines(certificate)
    if clients := certificate.get("clients"):
        yield f"  clients      show certificates: {clients['mode']}"
        yield from _loading_lines(clients)


def _expiry_lines(certificate: dict[str, Any], now: datetime.datetime) -> Iterator[str]:
    """Expiry in the words of `tlsrun check`, with its codes."""
    limit, ends = certificate["limited_by"], _term(certificate).ends
    what = f"the issuer {limit}, sent with it, " if limit else ""
    match _term(certificate).life(now):
        case Life.EXPIRED:
            yield f"  EXPIRED      {what}{expired_words(ends, now)} ({'TLS138' if limit else 'TLS140'})"
        case Life.SOON:
            yield f"  EXPIRES SOON {what}{expires_words(ends, now)} (TLS142)"


def _term(certificate: dict[str, Any]) -> Term:
    begins, ends = (datetime.datetime.fromisoformat(certificate[name]) for name in ("good_from", "good_until"))
    renewed = certificate["renewed"]
    return Term(begins=begins, ends=ends, renewed=None if renewed is None else datetime.timedelta(seconds=renewed))


def _loading_lines(loaded: dict[str, Any]) -> Iterator[str]:
    yield f"  loaded       {_moment(loaded['loaded_at'])} from {', '.join(loaded['files']) or 'inline text'}"
    if loaded["last_error"]:
        yield f"  NOT RENEWED  {_moment(loaded['last_error_at'])}: {loaded['last_error']}"


def _but_moments(certificate: dict[str, Any]) -> dict[str, Any]:
    clients = certificate.get("clients")
    return {**certificate, "loaded_at": None, "clients": clients and {**clients, "loaded_at": None}}


def _has_failed(certificate: dict[str, Any]) -> bool:
    return bool(certificate["last_error"] or (certificate.get("clients") or {}).get("last_error"))


def exit_code(found: list[ProcessStatus], now: datetime.datetime) -> int:
    """0: all is well; 1: a certificate expires soon or a renewal failed; 2: one has expired, or no server is known."""
    certificates = [certificate for status in found for certificate in status.certificates]
    lives = {_term(certificate).life(now) for certificate in certificates}
    if not found or Life.EXPIRED in lives:
        return USAGE_ERROR
    return 1 if Life.SOON in lives or any(map(_has_failed, certificates)) else 0


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

    The exit code is 0 when all is well, 1 when a certificate expires soon or a renewal failed, 2 when a certificate has
    expired or no server that tlsrun started runs. One that was started by its own command is not known here: ask it by
    `tlsrun cert show https://HOST:PORT`.
    """
    found, now = running(), datetime.datetime.now(datetime.timezone.utc)
    if as_json:
        click.echo(json.dumps([_as_json(status, now) for status in found], indent=2))
    else:
        for line in status_lines(found, now):
            # Another user's file must not control the terminal.
            click.echo("".join(sign if sign.isprintable() else "?" for sign in line))
    if not found:
        say(_NOBODY)
    context.exit(exit_code(found, now))


def _as_json(status: ProcessStatus, now: datetime.datetime) -> dict[str, Any]:
    certificates = [{**one, "life": _term(one).life(now).value} for one in status.certificates]
    return {**dataclasses.asdict(status), "certificates": certificates}
