"""What is said on the terminal: errors and warnings, one line each, on standard error."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from typing import NoReturn

import click

from tlsrun.apps import ImportSite, import_hint, user_traceback
from tlsrun.errors import NOT_IN_A_LINE, ConfigurationError, Problem, TLSRunError

#: The exit code of every mistake in what was given (as click and getopt programs use it).
USAGE_ERROR = 2


def say(line: str = "") -> None:
    """Print a line on standard error; colours are dropped where no terminal reads it."""
    click.echo(line, err=True)


def warn(problems: Iterable[Problem]) -> None:
    """Print each as a warning."""
    for problem in problems:
        say(f"{click.style('Warning', fg='yellow')}: {_with_code(problem)}")


def _with_code(problem: Problem) -> str:
    """The line, and the code that `tlsrun check --explain` takes. A path may hold anything; a line holds no newline."""
    line = f"{problem} [{problem.code}]" if problem.code else str(problem)
    return NOT_IN_A_LINE.sub(lambda found: found[0].encode("unicode_escape").decode(), line)


def fail(error: TLSRunError) -> NoReturn:
    """Print what is wrong, a line for each problem, and exit.

    Raises:
        SystemExit: always, with the code 2.
    """
    lines = [_with_code(one) for one in error.problems] if isinstance(error, ConfigurationError) else [str(error)]
    for line in lines:
        say(f"{click.style('Error', fg='red')}: {line}")
    raise SystemExit(USAGE_ERROR) from error


def say_ignored(call: str, site: ImportSite) -> None:
    """Say that a call which would start a server starts none while its module is being imported."""
    say(f" * {call} in {site.file}, line {site.line}, is ignored: {site.module} is being imported.")
    say('   Call it only under `if __name__ == "__main__":`.')


def fail_import(error: BaseException, target: str) -> NoReturn:
    """Show the user's own traceback whole, then a hint where the layout of the project explains it.

    Raises:
        SystemExit: always, with the code 1.
    """
    traceback.print_exception(type(error), error, user_traceback(error), file=sys.stderr)
    say(f"{click.style('Error', fg='red')}: the application {target} could not be imported; its traceback is above.")
    hint = import_hint(error, target)
    if hint:
        say(f"Hint: {hint}")
    raise SystemExit(1) from error
