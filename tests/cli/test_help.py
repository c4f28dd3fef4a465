"""Every command of `tlsrun` and of `flask tls` explains itself by examples, before anything else."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from flask_tlsrun.cli import tlsrun_command
from flask_tlsrun.tls_group import tls_group
from tests.support.commands import commands
from tests.support.process import run
from tlsrun.cli.main import tlsrun

EVERY = dict(
    [*commands(tlsrun, "tlsrun"), *commands(tls_group, "flask tls"), *commands(tlsrun_command, "flask tlsrun")]
)


@pytest.mark.parametrize("typed", EVERY)
def test_help_begins_with_examples(typed: str) -> None:
    """One sentence, then lines to copy that call this very program."""
    text = CliRunner().invoke(EVERY[typed], ["--help"], prog_name=typed).output
    usage, summary, examples, *_ = text.split("\n\n")
    assert usage.startswith(f"Usage: {typed}")
    assert summary.strip().rstrip(".").count(". ") == 0
    program = " ".join(typed.split()[: 2 if typed.startswith("flask") else 1])
    lines = [line.strip() for line in examples.splitlines()]
    calls = [line for line in lines if line.startswith((program, "flask --app", "TLSRUN_"))]
    assert len(calls) == len(lines) >= 2, examples


def test_there_are_as_many_as_documented() -> None:
    """None is forgotten here because it hangs elsewhere."""
    assert {"tlsrun run", "tlsrun check", "tlsrun cert make", "tlsrun cert show", "tlsrun cert bundle", "tlsrun trust",
            "tlsrun status", "tlsrun settings show", "tlsrun settings table", "tlsrun settings support",
            "flask tls check", "flask tls cert bundle", "flask tls trust", "flask tlsrun"} <= set(EVERY)  # fmt: skip


def test_run_imports_no_other_subcommand() -> None:
    """A server starts without what only `tlsrun check` needs, or `export`."""
    asks = "from tlsrun.cli.main import tlsrun; tlsrun(['run', '--help'], standalone_mode=False)"
    modules = run([sys.executable, "-c", f"import sys; {asks}; print(*sys.modules)"]).stdout.split()
    assert "tlsrun.cli.launching" in modules
    assert not {"tlsrun.check.examination", "tlsrun.cli.check", "tlsrun.cli.export", "tlsrun.cli.cert"} & set(modules)
