"""``python -m benchmarks``: measure everything, and write the page, its plot and its data."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import clocks, imports, machine, names, rounds, wrapper
from benchmarks.comparisons import COMPARISONS, Comparison, quick
from benchmarks.programs import ROOT

_FOLDER = ROOT / "docs" / "explanation"
_PAGE = "performance.md"
#: Even: each side of a comparison comes first as often as the other. Many: how the connections of a round are spread
#: over workers is chance.
_ROUNDS = 6
#: What is measured of tlsrun alone, besides the comparisons.
_ALONE = ("wrapper", "imports", "clocks", "names", "signatures")


def main() -> int:
    """Measure, and write; returns the exit code."""
    options = _options()
    if options.page:
        _write(json.loads((_FOLDER / "performance.json").read_text()), _FOLDER)
        return 0
    for program in ("wrk", "h2load", "curl", "openssl"):
        if shutil.which(program) is None:
            sys.stderr.write(f"{program} is not installed. Run: apt-get install wrk nghttp2-client curl openssl\n")
            return 2
    data = _measure(options)
    if options.quick or options.only:
        # Rendered, so that it is known to work; the page is of whole runs only.
        with tempfile.TemporaryDirectory() as name:
            shutil.copy(_FOLDER / _PAGE, name)
            _write(data, Path(name))
            sys.stdout.write((Path(name) / _PAGE).read_text())
    else:
        _write(data, _FOLDER)
    return 0


def _options() -> argparse.Namespace:
    known = [*(one.name for one in COMPARISONS), *_ALONE]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure tlsrun beside the bare servers. A whole run writes docs/explanation/performance.md, its "
        "plot and its data; --quick and --only print what they find.",
    )
    parser.add_argument("--quick", action="store_true", help="one short round of everything, about a minute")
    parser.add_argument("--rounds", metavar="N", type=int, default=_ROUNDS, help=f"of each measure (default {_ROUNDS})")
    parser.add_argument(
        "--only", metavar="NAME", action="append", choices=known, help=f"one of: {', '.join(known)}; may be repeated"
    )
    parser.add_argument("--page", action="store_true", help="measure nothing: make page and plot of the data again")
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    number = 1 if options.quick else options.rounds

    def wanted(name: str) -> bool:
        return not options.only or name in options.only

    data: dict[str, Any] = {"machine": machine.describe(), "rounds": number, "comparisons": {}}
    for comparison in COMPARISONS:
        reduced = quick(comparison) if options.quick else comparison
        if wanted(comparison.name) and reduced is not None:
            data["comparisons"][comparison.name] = _compare(reduced, number)
    alone: dict[str, Callable[[], Any]] = {
        "wrapper": lambda: wrapper.measure(1000 if options.quick else 20000),
        "imports": lambda: imports.measure(1 if options.quick else number * 2),
        "clocks": lambda: (
            clocks.measure(1, seconds=0.2, say=_say, pairs=clocks.PAIRS[1:])
            if options.quick
            else clocks.measure(number, seconds=1, say=_say)
        ),
        "names": lambda: names.measure((1, 10) if options.quick else names.NUMBERS, number),
        "signatures": lambda: machine.signatures(quickly=options.quick),
    }
    for name, measure in alone.items():
        if wanted(name):
            _say(name)
            data[name] = measure()
    return data


def _compare(comparison: Comparison, number: int) -> dict[str, Any]:
    present = [one for one in comparison.contenders if one.missing is None]
    missing = {one.title: one.missing for one in comparison.contenders if one.missing is not None}
    data = {"title": comparison.title, "contenders": [one.title for one in comparison.contenders], "missing": missing}
    _say(comparison.title)
    for title, why in missing.items():
        _say(f"  {title}: left out, {why}")
    # Nothing to compare with, or nothing of ours.
    if comparison.contenders[0].missing is not None or len(present) == 1 < len(comparison.contenders):
        return {**data, "series": {}}
    return {**data, "series": rounds.measure(comparison.of(present), rounds=number, say=_say)}


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")


def _write(data: dict[str, Any], folder: Path) -> None:
    # Only now: matplotlib takes a second, and --help needs none of it.
    from benchmarks.page import fill
    from benchmarks.plot import draw

    (folder / "performance.json").write_text(json.dumps(data, indent=1) + "\n")
    (folder / "performance.svg").write_text(draw(data))
    page = folder / _PAGE
    page.write_text(fill(page.read_text(), data))


if __name__ == "__main__":
    sys.exit(main())
