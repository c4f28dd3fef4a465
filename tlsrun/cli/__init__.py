"""The command line: the only place that prints or exits."""

from __future__ import annotations


def main() -> None:
    """The `tlsrun` command. What it needs is imported here, so that `import tlsrun.cli` stays cheap."""
    from tlsrun.cli.main import tlsrun

    tlsrun(prog_name="tlsrun")
