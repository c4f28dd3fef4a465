"""Carries out a decision, and verifies the store afterwards."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from tlsrun.trust.plan import Goal, StoreTask
from tlsrun.trust.programs import run
from tlsrun.trust.root import Root
from tlsrun.trust.store import Command


@dataclass(frozen=True, kw_only=True)
class TaskOutcome:
    """The result of a task.

    Arguments:
        done: whether the store is as wanted.
        reason: why it is not; None if it is.
    """

    task: StoreTask
    done: bool
    reason: str | None = None


def apply_task(
    goal: Goal, task: StoreTask, root: Root, *, ask: bool, before: Callable[[Command], None] = lambda command: None
) -> TaskOutcome:
    """Run the commands of ``task`` until one fails.

    Arguments:
        ask: whether they may ask for a password at the terminal.
        before: called with each command before it is started.
    """
    failed = None
    for command in task.commands:
        command = command if ask else _unattended(command)
        before(command)
        ended = run(command, ask=ask)
        if not ended.ok:
            failed = f"{shlex.join(command[:2])} failed: {_in_words(ended.last_words)}"
            break
    held = task.store.held(root)
    if held.trusted if goal is Goal.TRUST else not held.names and not held.trusted:
        return TaskOutcome(task=task, done=True)
    if goal is Goal.TRUST and held.names and not held.trusted:
        # A database with a password accepts the certificate, and then refuses to mark it as trusted.
        for command in task.store.remove(root, held.names):
            run(command)
    return TaskOutcome(task=task, done=False, reason=failed or "its programs say that it is done, and it is not")


def _unattended(command: Command) -> Command:
    """With ``sudo -n``, which fails instead of asking for a password."""
    return ("sudo", "-n", *command[1:]) if command[0] == "sudo" else command


#: Part of a program's output -> the reason in our words.
_WORDS = {
    "SEC_ERROR_BAD_PASSWORD": "it is protected by a password, which is asked for at a terminal only",
    "SEC_ERROR_READ_ONLY": "this user may not write it",
    "a password is required": "sudo needs a password, which is asked for at a terminal only",
    "a terminal is required": "sudo needs a password, which is asked for at a terminal only",
}


def _in_words(said: str) -> str:
    return next((words for part, words in _WORDS.items() if part in said), said)
