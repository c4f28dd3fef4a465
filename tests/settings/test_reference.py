"""The generated reference."""

from __future__ import annotations

from pathlib import Path

from tests.support.process import ROOT
from tlsrun.settings.reference import settings_reference, shown
from tlsrun.settings.table import SPECS


def test_every_setting_is_in_it() -> None:
    """Each setting has a section with its help."""
    page = settings_reference()
    for name, spec in SPECS.items():
        assert f"\n## {name}\n\n{spec.help}" in page


def test_the_page_in_docs_is_the_generated_one() -> None:
    """docs/reference/settings.md is what `tlsrun settings table` prints."""
    page = Path(ROOT, "docs", "reference", "settings.md").read_text(encoding="utf-8")
    assert page == settings_reference(), "run: tlsrun settings table > docs/reference/settings.md"


def test_values_are_shown_as_a_person_reads_them() -> None:
    """Secrets and PEM text are never shown whole."""
    assert shown("key_password", "hunter2") == "(hidden)"
    assert shown("key", "-----BEGIN PRIVATE KEY-----\nabc") == "(PEM text)"
    assert shown("handshake_timeout", 10.0) == "10"
    assert shown("cert", None) == "not set"
