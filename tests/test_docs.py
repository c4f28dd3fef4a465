"""The documents say what the program knows: links, settings, flags, commands and code in them are real."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.support.commands import commands
from tests.support.process import ROOT
from tlsrun.settings.table import SPECS, bottle_key, environment_variable, flag, flask_key, option_name

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

page = pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def blocks(path: Path, language: str) -> Iterator[str]:
    """The fenced blocks of one language."""
    for kind, text in BLOCK.findall(path.read_text()):
        if kind == language:
            yield text


@page
def test_links_lead_somewhere(path: Path) -> None:
    """A relative link names a file that is there."""
    text = BLOCK.sub("", path.read_text())
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), target


@page
def test_settings_are_real(path: Path) -> None:
    """A key or variable of a setting that a page names exists."""
    known = {flask_key(name) for name in SPECS} | {environment_variable(name) for name in SPECS}
    known |= {"TLSRUN_APP"}  # no setting: which application
    known |= {bottle_key(name) for name in SPECS} | {f"FLASK_TLSRUN_{option_name(name).upper()}" for name in SPECS}
    named = set(re.findall(r"\b((?:FLASK_)?TLS(?:RUN)?_[A-Z_]*[A-Z])\b(?!_)", path.read_text()))
    named |= set(re.findall(r"\[\"(tls\.[a-z_]+)\"\]", path.read_text()))
    assert {name for name in named if not name.startswith("TLSRUN_TEST_")} <= known


@page
def test_flags_are_real(path: Path) -> None:
    """A flag that a page gives to `flask tlsrun` or `tlsrun …` exists."""
    for block in blocks(path, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            command = line.partition("#")[0]
            if found := re.search(r"\b(?:flask\b.*\btlsrun|tlsrun (?:run|settings show))\b(.*)", command):
                assert set(re.findall(r"(?<!\S)--[a-z-]+", found[1])) <= known_flags(), line


@page
def test_exports_are_real(path: Path) -> None:
    """A target and a flag that a page gives to `tlsrun export` or `flask tls export` exist."""
    from tlsrun.cli.export import export_command
    from tlsrun.export import TARGETS

    flags = {word for one in export_command.params for word in [*one.opts, *one.secondary_opts]}
    for line in re.findall(r"(?:tlsrun|flask tls) export ([^#`\n]+)", path.read_text().replace("\\\n", " ")):
        if line.split()[0] in TARGETS:
            assert set(re.findall(r"(?<!\S)--?[a-z-]+", line)) <= flags, line


def known_flags() -> set[str]:
    """All flags of `flask tlsrun` and `tlsrun run`."""
    from flask_tlsrun.cli import tlsrun_command
    from tlsrun.cli.main import run

    return {
        word for command in (tlsrun_command, run) for one in command.params for word in [*one.opts, *one.secondary_opts]
    } | {flag(name) or "" for name in SPECS}


@page
def test_python_compiles(path: Path) -> None:
    """Code that a page shows is Python."""
    for block in blocks(path, "python"):
        compile(block, str(path), "exec")


def test_every_command_is_in_the_reference() -> None:
    """docs/reference/cli.md lists all commands, and no others."""
    from tlsrun.cli.main import tlsrun

    reference = (ROOT / "docs/reference/cli.md").read_text()
    listed = set(re.findall(r"^\| `(tlsrun [a-z ]+|flask tlsrun)` \|", reference, re.MULTILINE))
    typed = {name for name, command in commands(tlsrun, "tlsrun") if not isinstance(command, click.Group)}
    assert listed == {"flask tlsrun", *typed}


def test_every_page_is_in_the_index() -> None:
    """docs/README.md leads to every page, or to the README.md of the page's folder, which does."""
    for path in set(ROOT.glob("docs/**/*.md")) - {ROOT / "docs/README.md"}:
        nearest = path.parent / "README.md"
        index = nearest if nearest.is_file() and nearest != path else ROOT / "docs/README.md"
        assert f"]({path.relative_to(index.parent).as_posix()})" in index.read_text(), path


def test_every_room_is_on_the_map() -> None:
    """docs/explanation/architecture.md names every module and package of the core, and no other."""
    page = (ROOT / "docs/explanation/architecture.md").read_text()
    table = page.partition("## Rooms")[2].partition("## ")[0]
    rooms = {
        f"tlsrun/{path.name}{'/' * path.is_dir()}"
        for path in (ROOT / "tlsrun").iterdir()
        if not path.name.startswith("_") and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    assert set(re.findall(r"`(tlsrun/(?:[a-z0-9]+/|[a-z_]+\.py))`", table)) == rooms
