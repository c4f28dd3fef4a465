"""`tlsrun trust`: have this machine trust the development CA, and report on each store."""

from __future__ import annotations

import datetime
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from tlsrun import trust
from tlsrun.cli.console import USAGE_ERROR, fail, say, warn
from tlsrun.cli.writing import write_file
from tlsrun.development.authority import find_root, obtain_authority
from tlsrun.errors import Problem, TLSRunError
from tlsrun.trust import KINDS, Goal, Machine, Root, StoreAction, StoreTask, TaskOutcome, TrustStore

_STYLES = {"trusted": "green", "trusted now": "green", "NOT TRUSTED": "yellow", "NOT DONE": "red"}


@click.command("trust")
@click.option("--remove", is_flag=True, help="Take the CA out of every store again.")
@click.option("--check", is_flag=True, help="Change nothing; say which stores trust it.")
@click.option(
    "--export",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Write the CA's certificate, without its key, for a phone or a colleague; in DER for *.der.",
)
@click.option("--by-hand", is_flag=True, help="Print what to do for everything that this command does not reach.")
@click.option(
    "--store",
    "kinds",
    type=click.Choice(KINDS),
    multiple=True,
    help="Only this kind: the system's store, browsers' NSS databases, Java's. May be given several times.",
)
@click.option("--force", is_flag=True, help="With --export: write over another file.")
@click.pass_context
def trust_command(
    context: click.Context,
    /,
    remove: bool,
    check: bool,
    export: Path | None,
    by_hand: bool,
    kinds: tuple[str, ...],
    force: bool,
) -> None:
    """Have this machine and its browsers trust the development CA, so that its certificates open without a warning.

    \b
    tlsrun trust                     the system's store, Chromium's and Firefox's; says what it did for each
    tlsrun trust --check             which of them trust it
    tlsrun trust --remove            take it out again
    tlsrun trust --export ca.pem     the certificate alone, for a phone, a colleague, a container
    tlsrun trust --by-hand           Java, Node.js, requests, WSL, phones: what to do there

    The CA is mkcert's where there is one, else our own; it is made when there is none. Its key never leaves its
    folder: whoever has it can pose as any site to the browsers that trust it. The exit code is 0 when all is as
    wanted, 1 when a store is not, 2 when nothing could be done.
    """
    if sum((remove, check, by_hand, export is not None)) > 1:
        raise click.UsageError("--remove, --check, --export and --by-hand are four different things; give one of them.")
    goal = Goal.REMOVE if remove else Goal.CHECK if check else Goal.TRUST
    try:
        root = _root(make=not remove and not check)
        if root is None:
            say("There is no development CA; `tlsrun trust` makes one.")
            context.exit(0 if remove else USAGE_ERROR)
        if export is not None:
            _export(root, export, force=force)
            return
    except TLSRunError as error:
        fail(error)
    machine = trust.look()
    if by_hand:
        for line in _by_hand_lines(machine, root):
            click.echo(line)
        return
    context.exit(0 if _all_stores(goal, machine, root, kinds or KINDS) else 1)


def _root(*, make: bool) -> Root | None:
    """The CA's certificate; with ``make`` the CA is created if there is none."""
    if make:
        return trust.read_root(obtain_authority(datetime.datetime.now(datetime.timezone.utc)).path)
    path = find_root()
    return None if path is None else trust.read_root(path)


def _export(root: Root, target: Path, *, force: bool) -> None:
    if str(target) == "-":
        click.echo(root.pem, nl=False)
        return
    written = write_file(target, root.der if target.suffix == ".der" else root.pem, force=force)
    said = "Wrote" if written else "Already there:"
    click.echo(f"{said} {target}, the certificate of {root.title}. It holds no key.")
    click.echo("What to do with it: tlsrun trust --by-hand")


def _all_stores(goal: Goal, machine: Machine, root: Root, kinds: Sequence[str]) -> bool:
    """Work on each store and report it; returns whether all are as wanted."""
    if machine.sudo_user is not None:
        what = f"this concerns the CA and the browsers of root, not those of {machine.sudo_user}"
        warn([Problem(where="sudo", what=what, remedy="Start it without sudo: it asks for the right itself")])
    end = root.certificate.not_valid_after_utc
    click.echo(f"Development CA: {root.title} (until {end:%Y-%m-%d}), {root.path}")
    outcomes: list[TaskOutcome] = []
    for store in trust.find_stores(machine, kinds):
        outcomes.append(_one_store(goal, store, root))
        click.echo(_line(goal, outcomes[-1]))
    for line in _afterwards(goal, machine, root, outcomes, kinds):
        click.echo(line)
    return bool(outcomes) and all(outcome.done for outcome in outcomes)


def _one_store(goal: Goal, store: TrustStore, root: Root) -> TaskOutcome:
    task = trust.decide(goal, store, store.held(root), root)
    if task.verdict is StoreAction.DO:
        return trust.apply_task(goal, task, root, ask=_may_ask(), before=_announce)
    wanted = {Goal.REMOVE: StoreAction.ABSENT}.get(goal, StoreAction.TRUSTED)
    return TaskOutcome(task=task, done=task.verdict is wanted, reason=task.obstacle.reason if task.obstacle else None)


def _may_ask() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _announce(command: Sequence[str]) -> None:
    """Show a command that runs as root before it is started."""
    if command[0] == "sudo":
        say(f"  $ {shlex.join(command)}")


def _line(goal: Goal, outcome: TaskOutcome) -> str:
    word = _word(goal, outcome)
    shown = click.style(f"{word:<12}", fg=_STYLES.get(word))
    reason = f": {outcome.reason}" if outcome.reason else ""
    return f"  {shown} {outcome.task.store.title}, {_short(outcome.task.store.place)}{reason}"


def _word(goal: Goal, outcome: TaskOutcome) -> str:
    verdict = outcome.task.verdict
    if verdict is StoreAction.CANNOT or not outcome.done:
        return "NOT TRUSTED" if goal is Goal.CHECK and verdict is StoreAction.ABSENT else "NOT DONE"
    if verdict is StoreAction.DO:
        return "trusted now" if goal is Goal.TRUST else "removed"
    return "trusted" if verdict is StoreAction.TRUSTED else "not there"


def _short(place: str) -> str:
    home = os.path.expanduser("~")
    return f"~{place[len(home) :]}" if place.startswith(home + os.sep) else place


def _afterwards(
    goal: Goal, machine: Machine, root: Root, outcomes: Sequence[TaskOutcome], kinds: Sequence[str]
) -> Iterator[str]:
    yield from _left(outcomes)
    done = [outcome.task for outcome in outcomes if outcome.done and outcome.task.verdict is StoreAction.DO]
    if any(task.store.kind == "nss" for task in done):
        yield "Restart the browsers that run."
    if "nss" in kinds and not any(outcome.task.store.kind == "nss" for outcome in outcomes):
        yield "No browser with a store of its own was found for this user; start Firefox once, and it has one."
    if "system" in kinds and not any(outcome.task.store.kind == "system" for outcome in outcomes):
        yield "The way that this system keeps its roots is not known; see its manual, and `tlsrun trust --by-hand`."
    if goal is Goal.TRUST:
        for hint in trust.hints(machine, root, None):
            if hint.urgent:
                yield f"By hand, {hint.title}:"
                yield from (f"  {line}" for line in hint.lines)
        yield "Java, Node.js, Python's requests, containers, phones: tlsrun trust --by-hand"


def _left(outcomes: Sequence[TaskOutcome]) -> Iterator[str]:
    """What remains to be done by hand; each remedy once."""
    tasks = [outcome.task for outcome in outcomes if not outcome.done]
    for remedy in dict.fromkeys(task.obstacle.remedy for task in tasks if task.obstacle):
        commands = _commands([task for task in tasks if task.obstacle and task.obstacle.remedy == remedy])
        yield f"{remedy}{':' if commands else ''}"
        yield from (f"  {shlex.join(command)}" for command in commands)
    failed = _commands([task for task in tasks if not task.obstacle])
    if failed:
        yield "By hand, at a terminal:"
        yield from (f"  {shlex.join(command)}" for command in failed)


def _commands(tasks: Sequence[StoreTask]) -> list[tuple[str, ...]]:
    return [command for task in tasks for command in task.commands]


def _by_hand_lines(machine: Machine, root: Root) -> Iterator[str]:
    systems = (store for store in trust.find_stores(machine, ("system",)) if store.held(root).trusted)
    bundle = next((getattr(store, "bundle", None) for store in systems), None)
    yield f"The CA's certificate: {root.path}"
    for hint in trust.hints(machine, root, bundle):
        yield ""
        yield f"{hint.title}:"
        yield from (f"  {line}" for line in hint.lines)
