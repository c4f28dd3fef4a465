"""Does what was decided, and looks afterwards whether the store has it."""

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
    """What became of a task.

    Arguments:
        done: whether the store is as it was wanted.
        reason: why not, in words; None when it is.
    """

    task: StoreTask
    done: bool
    reason: str | None = None


def apply_task(
    goal: Goal, task: StoreTask, root: Root, *, ask: bool, before: Callable[[Command], None] = lambda command: None
) -> TaskOutcome:
    """Run the commands of ``task`` until one fails.

    Arguments:
        ask: whether they may ask the person at the terminal for a password.
        before: told each command before it is started.
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
        # A database with a password takes the certificate, and then refuses to trust it.
        for command in task.store.remove(root, held.names):
            run(command)
    return TaskOutcome(task=task, done=False, reason=failed or "its programs say that it is done, and it is not")


def _unattended(command: Command) -> Command:
    """With sudo failing at once where it would ask."""
    return ("sudo", "-n", *command[1:]) if command[0] == "sudo" else command


#: Part of what a program says -> what it means.
_WORDS = {
    "SEC_ERROR_BAD_PASSWORD": "it is protected by a password, which is asked for at a terminal only",
    "SEC_ERROR_READ_ONLY": "this user may not write it",
    "a password is required": "sudo needs a password, which is asked for at a terminal only",
    "a terminal is required": "sudo needs a password, which is asked for at a terminal only",
}


def _in_words(said: str) -> str:
    return next((words for part, words in _WORDS.items() if part in said), said)
