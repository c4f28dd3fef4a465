"""The tables of docs/explanation/performance.md, out of a run's data; the prose between them stays. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.comparisons import CEILING
from benchmarks.figures import Figure, figure, ratio
from benchmarks.goals import GOALS, Goal
from benchmarks.results import Data, of_names, values

_MIB, _KIB = 1 << 20, 1 << 10


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if value >= 10 else f"{value:.1f}"


def _micro(value: float) -> str:
    return f"{value * 1e6:.0f} µs"


#: Measures in the order of the tables: name, words, how a value is spelled.
_ROWS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("new", "new connections each second, ECDSA", _number),
    ("new cpu", "… processor time for one", _micro),
    ("new client", "… its client's", _micro),
    ("new-rsa", "new connections each second, RSA 2048", _number),
    ("resumed", "connections of clients that resume, each second", _number),
    ("resumed cpu", "… processor time for one", _micro),
    ("resumed client", "… its client's", _micro),
    ("resumed resumed", "… share that did resume", lambda value: f"{value:.0%}"),
    *(
        row
        for number in (1, 8, 64, 512)
        for row in (
            (f"kept-{number}", f"requests each second, connections: {number}", _number),
            (f"kept-{number} cpu", "… processor time for one", _micro),
            (f"kept-{number} p50", "… half of them within", lambda value: f"{value * 1e3:.2f} ms"),
            (f"kept-{number} p99", "… 99 % of them within", lambda value: f"{value * 1e3:.2f} ms"),
        )
    ),
    ("64k", "answers of 64 KiB each second, connections: 8", _number),
    ("64m", "an answer of 64 MiB", lambda value: f"{value / _MIB:.0f} MiB/s"),
    ("http2", "requests each second, HTTP/2", _number),
    ("start", "start to first answer", lambda value: f"{value:.2f} s"),
    ("memory", "memory when idle, all processes", lambda value: f"{value / _MIB:.1f} MiB"),
    ("memory worker", "… of it a worker's", lambda value: f"{value / _MIB:.1f} MiB"),
    ("idle", "memory of an idle connection", lambda value: f"{value / _KIB:.1f} KiB"),
)
#: What is told of everybody beside nginx: name, words.
_BESIDE_NGINX = (
    ("new", "new connections, ECDSA"),
    ("new-rsa", "new connections, RSA"),
    ("resumed", "clients that resume"),
    ("kept-8", "requests, 8 connections"),
    ("64k", "64 KiB"),
    ("64m", "64 MiB"),
)
#: Ratios say nothing of shares, of what may be 0, and of clients.
_NO_RATIO = ("resumed resumed", "new client", "resumed client")
#: Kinds of connections whose processor time is told apart, and the parts of it.
_KINDS = {"new": "ECDSA", "new-rsa": "RSA 2048", "resumed": "resumed"}
_PARTS = {"tls": "TLS", "flask": "Flask", "gunicorn": "gunicorn", "rest": "the rest"}


def fill(page: str, data: Data) -> str:
    """The page with its generated parts made anew.

    Arguments:
        page: as it is; the parts stand between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``.
        data: of a run.
    """
    blocks = {
        "machine": _machine(data),
        "goals": _goals(data),
        "comparisons": _comparisons(data),
        "clocks": _clocks(data),
        "names": _names(data),
        "alone": _alone(data),
    }
    for name, lines in blocks.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = "\n".join([f"{before}{begin}", "", *lines, "", f"{end}{after}"])
    return page


def _spread(found: Figure, unit: str = "") -> str:
    """The median, and in brackets the extremes."""
    unit = f" {unit}" if unit else ""
    if found.least == found.most:
        return f"{found.median:.2f}{unit}"
    return f"{found.median:.2f}{unit} ({found.least:.2f}–{found.most:.2f})"


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _machine(data: Data) -> list[str]:
    rows: Mapping[str, str] = data["machine"]
    return _table(["", ""], ([name, value] for name, value in rows.items()))


def _goals(data: Data) -> list[str]:
    return _table(["what", "goal", "measured", ""], (_goal(goal, data) for goal in GOALS))


def _goal(goal: Goal, data: Data) -> Sequence[str]:
    bound = f"{'≤' if goal.at_most else '≥'} {goal.bound:g}{f' {goal.unit}' if goal.unit else ''}"
    found = goal.value(data)
    if found is None:
        return [goal.words, bound, "not measured", ""]
    return [goal.words, bound, _spread(found, goal.unit), "met" if goal.met(found) else "**missed**"]


def _comparisons(data: Data) -> list[str]:
    lines: list[str] = []
    for name, comparison in data["comparisons"].items():
        lines += [f"### {comparison['title']}", ""]
        for title, why in comparison["missing"].items():
            lines += [f"`{title}` was not measured: {why}.", ""]
        if comparison["series"]:
            lines += [*(_beside_nginx(comparison) if name == CEILING else _comparison(comparison)), ""]
    return lines[:-1]


def _beside_nginx(comparison: Data) -> list[str]:
    """Everybody ÷ the first, a line for each."""
    titles: Sequence[str] = comparison["contenders"]

    def rows() -> Iterator[Sequence[str]]:
        for number, title in enumerate(titles):
            found = {name: values(comparison, number, name) for name, _ in _BESIDE_NGINX}
            ratios = [_ratio(mine, values(comparison, 0, name), bold=False) for name, mine in found.items()]
            if number == 0:
                ratios = [f"{_number(figure(mine).median)}/s" if mine else "" for mine in found.values()]
                ratios[-1] = f"{figure(found['64m']).median / _MIB:.0f} MiB/s" if found["64m"] else ""
            spent = values(comparison, number, "new cpu")
            yield [f"`{title}`" if number else title, *ratios, _micro(figure(spent).median) if spent else ""]

    head = ["÷ nginx", *(words for _, words in _BESIDE_NGINX), "processor time for a new connection, ECDSA"]
    return _table(head, rows())


def _comparison(comparison: Data) -> list[str]:
    titles = [title for title in comparison["contenders"] if title in comparison["series"]]
    numbers = [comparison["contenders"].index(title) for title in titles]
    others = [number for number in numbers if number]
    head = ["", *(f"÷ `{comparison['contenders'][number]}`" for number in others), *(f"`{one}`" for one in titles)]
    return _table(head, _rows(comparison, numbers, others))


def _rows(comparison: Data, numbers: Sequence[int], others: Sequence[int]) -> Iterator[Sequence[str]]:
    for name, words, spell in _ROWS:
        found = {number: values(comparison, number, name) for number in numbers}
        if any(found.values()):
            ratios = ["" if name in _NO_RATIO else _ratio(found[0], found[other]) for other in others]
            medians = [spell(figure(found[number]).median) if found[number] else "" for number in numbers]
            yield [words, *ratios, *medians]


def _ratio(ours: Sequence[float], theirs: Sequence[float], *, bold: bool = True) -> str:
    if not (ours and theirs and all(theirs)):
        return ""
    spread = _spread(ratio(ours, theirs))
    return f"**{spread}**" if bold else spread


def _clocks(data: Data) -> list[str]:
    def rows() -> Iterator[Sequence[str]]:
        for title, kinds in data.get("clocks", {}).items():
            for kind, words in _KINDS.items():
                if spent := kinds.get(kind):
                    medians = [figure(spent[part]).median for part in _PARTS]
                    client = figure(spent["client"]).median
                    yield [f"`{title}`, {words}", *map(_micro, medians), _micro(sum(medians)), _micro(client)]

    return _table(["for one connection", *_PARTS.values(), "together", "its client's"], rows())


def _names(data: Data) -> list[str]:
    numbers: Mapping[str, Any] = data.get("names", {})

    def rows() -> Iterator[Sequence[str]]:
        for number in map(int, numbers):
            first, later = (figure(of_names(data, number, when)) for when in ("first", "later"))
            yield [
                str(number),
                f"{of_names(data, number, 'memory')[0] / _MIB:.1f} MiB",
                f"{of_names(data, number, 'start')[0]:.2f} s",
                f"{first.median * 1e3:.2f} ms, at most {first.most * 1e3:.2f} ms",
                f"{later.median * 1e3:.2f} ms",
                _number(figure(of_names(data, number, "new")).median),
            ]

    head = ["certificates", "memory", "start", "first handshake for a name", "a later one", "new connections/s"]
    return _table(head, rows()) if numbers else []


def _alone(data: Data) -> list[str]:
    def rows() -> Iterator[Sequence[str]]:
        for name, seconds in data.get("wrapper", {}).items():
            yield [f"WSGI wrapper, {name}", f"{seconds * 1e6:.2f} µs for a request"]
        for package, times in data.get("imports", {}).items():
            yield [f"`import {package}`", f"{_spread(figure([one * 1e3 for one in times]), 'ms')}"]
        for name, rate in data.get("signatures", {}).items():
            yield [f"{name}, one core (`openssl speed`)", f"{_number(rate)} each second, {1e6 / rate:.0f} µs each"]

    return _table(["", ""], rows())
