"""What was aimed at, as a table: the words, the bound, and how a run's data answers it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.figures import Figure, figure
from benchmarks.results import Data, compared, memory_of_a_name, of_names, rate_with_names, values

_MIB, _KIB = 1 << 20, 1 << 10


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One aim.

    Arguments:
        words: what is compared.
        bound: the number that is to be reached, in ``unit``.
        at_most: whether less is better.
        unit: of the figures; empty for a ratio.
        value: the figure out of a run's data, None when it was not measured.
    """

    words: str
    bound: float
    value: Callable[[Data], Figure | None]
    at_most: bool = False
    unit: str = ""

    def met(self, found: Figure) -> bool:
        """Whether the median reaches the bound, both as they are printed (two decimals)."""
        median = round(found.median, 2)
        return median <= self.bound if self.at_most else median >= self.bound


def _ratio(words: str, bound: float, name: str, measure: str, *, other: int = 1, at_most: bool = False) -> Goal:
    return Goal(words=words, bound=bound, value=lambda data: compared(data, name, measure, other), at_most=at_most)


def _scaled(found: Figure | None, by: float) -> Figure | None:
    if found is None:
        return None
    return Figure(median=found.median * by, least=found.least * by, most=found.most * by)


def _wrapper(kind: str) -> Callable[[Data], Figure | None]:
    def value(data: Data) -> Figure | None:
        return figure([data["wrapper"][kind] * 1e6]) if "wrapper" in data else None

    return value


def _import(package: str) -> Callable[[Data], Figure | None]:
    def value(data: Data) -> Figure | None:
        return _scaled(figure(data["imports"][package]), 1e3) if "imports" in data else None

    return value


def _added_to_a_worker(data: Data) -> Figure | None:
    comparison = data["comparisons"].get("gunicorn")
    if comparison is None:
        return None
    ours, bare = values(comparison, 0, "memory worker"), values(comparison, 1, "memory worker")
    return figure([(mine - theirs) / _MIB for mine, theirs in zip(ours, bare, strict=True)]) if ours and bare else None


def _first_use(data: Data) -> Figure | None:
    return _scaled(figure(first), 1e3) if (first := of_names(data, 1000, "first")) else None


GOALS = (
    _ratio("built-in ÷ `flask run --cert`: kept-alive requests", 6, "builtin-flask", "kept-8"),
    _ratio("built-in ÷ `flask run --cert`: new connections", 1.5, "builtin-flask", "new"),
    _ratio("gunicorn ÷ bare, threads: new connections, ECDSA", 1.6, "gunicorn", "new"),
    _ratio("gunicorn ÷ bare, threads: new connections, RSA", 1.6, "gunicorn", "new-rsa"),
    _ratio("gunicorn ÷ bare, threads: clients that resume", 2.5, "gunicorn", "resumed"),
    _ratio("gunicorn ÷ bare, sync: new connections, ECDSA", 1.6, "gunicorn-sync", "new"),
    _ratio("gunicorn ÷ bare, sync: new connections, RSA", 1.6, "gunicorn-sync", "new-rsa"),
    _ratio("gunicorn ÷ bare, sync: clients that resume", 2.5, "gunicorn-sync", "resumed"),
    _ratio("gunicorn ÷ bare, threads: kept-alive requests", 1.0, "gunicorn", "kept-8"),
    _ratio("uWSGI wheel ÷ `--https --http-keepalive`: kept-alive requests", 0.9, "uwsgi", "kept-8"),
    _ratio("uWSGI wheel ÷ `--https --http-keepalive`: new connections", 0.9, "uwsgi", "new"),
    _ratio("uWSGI wheel ÷ `--https`: kept-alive requests", 4, "uwsgi", "kept-8", other=2),
    _ratio("Granian ÷ bare: kept-alive requests", 0.98, "granian", "kept-8"),
    _ratio("Granian ÷ bare: new connections", 0.98, "granian", "new"),
    _ratio("Hypercorn ÷ bare: kept-alive requests", 1.0, "hypercorn", "kept-8"),
    _ratio("Hypercorn ÷ bare: new connections", 1.0, "hypercorn", "new"),
    _ratio("`flask tlsrun` ÷ `flask run --cert`: start to first answer", 1.15, "builtin-flask", "start", at_most=True),
    Goal(words="WSGI wrapper, no TLS: a request", bound=3, value=_wrapper("no TLS"), at_most=True, unit="µs"),
    Goal(
        words="WSGI wrapper, all facts: a request",
        bound=15,
        value=_wrapper("TLS, client certificate"),
        at_most=True,
        unit="µs",
    ),
    Goal(
        words="1000 certificates by SNI: memory of each",
        bound=60,
        value=lambda data: _scaled(memory_of_a_name(data, 1, 1000), 1 / _KIB),
        at_most=True,
        unit="KiB",
    ),
    Goal(
        words="1000 certificates by SNI: first handshake for a name",
        bound=5,
        value=_first_use,
        at_most=True,
        unit="ms",
    ),
    Goal(
        words="1000 certificates by SNI ÷ 1: new connections",
        bound=0.95,
        value=lambda data: rate_with_names(data, 1, 1000),
    ),
    Goal(words="`import flask_tlsrun`, beyond Flask", bound=25, value=_import("flask_tlsrun"), at_most=True, unit="ms"),
    Goal(words="`import bottle_tls`, beyond Bottle", bound=25, value=_import("bottle_tls"), at_most=True, unit="ms"),
    Goal(words="gunicorn: memory added to an idle worker", bound=3, value=_added_to_a_worker, at_most=True, unit="MiB"),
)
