"""From layers of settings to a running server: the entry point of every front end."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from tlsrun import servers, started
from tlsrun.cli.banner import banner_lines
from tlsrun.cli.console import fail, say, warn
from tlsrun.deciding.choosing import may_use_development_certificate
from tlsrun.deciding.facts import gather
from tlsrun.deciding.plan import Development, Plan, decide
from tlsrun.deciding.platform import Platform, find_platform, resolve_behind
from tlsrun.errors import ConfigurationError, Problem, TLSRunError
from tlsrun.handover import is_anew, is_trial
from tlsrun.process import patch_problem
from tlsrun.reloading.trial import Passed, check_server
from tlsrun.settings.layers import Layer, Resolution, resolve
from tlsrun.wsgi import application as with_facts


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be served, and how it was asked for.

    Arguments:
        application: the WSGI callable; that very object is served.
        framework: ``flask``, ``bottle`` or ``wsgi``.
        layers: the settings, in order of precedence.
        name: the application as the user named it.
        development: reloader and debugger.
        quiet: no banner, no access log.
        warnings: what was found odd about the application.
    """

    application: Callable[..., Any]
    framework: str
    layers: Sequence[Layer]
    name: str = ""
    development: Development | None = None
    quiet: bool = False
    warnings: tuple[Problem, ...] = ()


def serve(job: Job) -> int:
    """Serve until the server is told to stop.

    Returns:
        the exit code.

    Raises:
        ConfigurationError: something given cannot be served; nothing was started.
    """
    try:
        return _serve(job)
    except Passed:
        # Not by returning: a script would go on with what it does after serving, and its threads would be waited for.
        logging.shutdown()
        os._exit(0)


def _serve(job: Job) -> int:
    if (problem := patch_problem()) is not None:
        # Before anything is read: our own contexts would not work either.
        raise ConfigurationError([problem])
    platform, resolution = _resolved(job.layers)
    probes = servers.probe_all()
    at_hand = sys.stdin is not None and sys.stdin.isatty()
    named = probes.get(resolution.settings.server)
    facts = gather(
        resolution,
        probes,
        may_develop=platform is None and may_use_development_certificate(resolution.settings, named),
        ask_password=_ask_password if platform is None and at_hand else None,
    )
    plan = decide(
        resolution,
        facts,
        framework=job.framework,
        platform=platform,
        development=job.development,
        quiet=job.quiet,
        warnings=job.warnings,
    )
    check_server(plan.server)
    show_log(quiet=plan.quiet)
    server = servers.load(plan.server)
    if not (is_anew() or is_trial() or started.in_place()):
        server.read_options(plan)
        announce(plan, job, facts.now)
    return server.launch(plan, with_facts(job.application, plan.front))


def _resolved(layers: Sequence[Layer]) -> tuple[Platform | None, Resolution]:
    """The platform whose edge terminates TLS, None where tlsrun does; and the settings."""
    platform = find_platform()
    behind = None if platform is None else resolve_behind(platform, layers)
    return (None, resolve(layers)) if behind is None else (platform, behind)


def announce(plan: Plan, job: Job, now: Any) -> None:
    """Print warnings, and the banner unless the job is quiet."""
    warn(plan.warnings)
    if not plan.quiet:
        for line in banner_lines(plan, servers.load(plan.server).probe(), now, job.name):
            say(f" * {line}")


def show_log(*, quiet: bool) -> None:
    """Show our log if the program has not configured logging, as Werkzeug and gunicorn do.

    Arguments:
        quiet: show warnings only.
    """
    logger = logging.getLogger("tlsrun")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING if quiet else logging.INFO)
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("[%(asctime)s] %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S"))
        logger.addHandler(handler)


def serve_or_exit(job: Job) -> int:
    """Like `serve`, but print an error and end the program instead of raising it.

    Raises:
        SystemExit: with the code 2, if something given cannot be served.
    """
    try:
        return serve(job)
    except TLSRunError as error:
        fail(error)


def _ask_password(given_by: str) -> bytes:
    """Ask at the terminal. A server that executes itself anew must not ask again: it finds the answer in its
    environment, which only this user and root can read."""
    password: str = click.prompt(f"Password of the key ({given_by})", hide_input=True, err=True)
    os.environ["TLSRUN_KEY_PASSWORD"] = password
    return password.encode()
