"""The page out of a run's data."""

from __future__ import annotations

import json

import pytest

from benchmarks.page import fill
from benchmarks.plot import draw
from benchmarks.programs import ROOT
from tests.benchmarks.data import data

_PAGE = "\n".join(
    ["# Title", *(f"<!-- begin {name} -->\nold\n<!-- end {name} -->" for name in
                  ("machine", "goals", "comparisons", "clocks", "names", "alone")), "The end."]
)  # fmt: skip


@pytest.fixture(scope="module", name="page")
def _page() -> str:
    return fill(_PAGE, data())


def test_prose_stays_and_tables_are_new(page: str) -> None:
    """What stands between the marks is replaced, and nothing else."""
    assert page.startswith("# Title\n")
    assert page.endswith("The end.")
    assert "old" not in page


def test_filling_twice_changes_nothing(page: str) -> None:
    """So ``--page`` can be run at any time."""
    assert fill(page, data()) == page


@pytest.mark.parametrize(
    "line",
    [
        "| processor | 2 × slow |",
        "| gunicorn ÷ bare, threads: new connections, ECDSA | ≥ 1.6 | 1.70 (1.60–1.80) | met |",
        "| WSGI wrapper, all facts: a request | ≤ 15 µs | 16.00 µs | **missed** |",
        "| Granian ÷ bare: new connections | ≥ 0.98 | not measured |  |",
        "`absent` was not measured: it is not installed.",
        "|  | ÷ `bare` | `ours` | `bare` |",
        "| new connections each second, ECDSA | **1.70 (1.60–1.80)** | 250 | 150 |",
        "| nginx, static | 1 000/s |  |  |  |  | 2048 MiB/s | 500 µs |",
        "| `ours` | 0.60 (0.50–0.70) |  |  |  |  | 0.50 | 1000 µs |",
        "| `ours`, resumed | 700 µs | 200 µs | 300 µs | 400 µs | 1600 µs | 500 µs |",
        "| 1000 | 38.1 MiB | 0.90 s | 2.00 ms, at most 2.00 ms | 1.00 ms | 96 |",
        "| RSA 2048 signatures, one core (`openssl speed`) | 2 000 each second, 500 µs each |",
    ],
)
def test_lines(page: str, line: str) -> None:
    """Ratios first, then medians; what is missed is said."""
    assert line in page.splitlines()


def test_the_page_is_of_its_data() -> None:
    """docs/explanation/performance.md was not edited by hand between its marks."""
    folder = ROOT / "docs" / "explanation"
    measured = json.loads((folder / "performance.json").read_text())
    text = (folder / "performance.md").read_text()
    assert fill(text, measured) == text


def test_plot_can_be_read_on_light_and_dark_pages() -> None:
    """No background, text as text, and every dark ink has its light one."""
    svg = draw(data())
    assert svg == draw(data())
    assert "prefers-color-scheme: dark" in svg
    assert "<text" in svg
    assert "fill: #ffffff" not in svg
    assert "fill: #000000" not in svg
