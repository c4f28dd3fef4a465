"""The comparisons: who stands beside whom, with which application, and what is measured of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from benchmarks import contenders as c
from benchmarks import measures as m


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Servers side by side.

    Arguments:
        name: for ``--only``.
        title: a heading.
        contenders: ours first, then those that it is compared with.
        application: what all of them serve.
        measures: with an ECDSA certificate, all servers up at once.
        rsa: measures with an RSA certificate.
        idle: whether memory per idle connection is measured, of those that keep connections.
        starts: whether starting is measured.
    """

    name: str
    title: str
    contenders: tuple[c.Contender, ...]
    application: str = c.FLASK
    measures: tuple[m.Measure, ...]
    rsa: tuple[m.Measure, ...] = ()
    idle: bool = False
    starts: bool = False

    def of(self, contenders: Iterable[c.Contender]) -> Comparison:
        """The same with only these."""
        return replace(self, contenders=tuple(contenders))


#: The comparison that has the machine's ceiling first, and everybody beside it.
CEILING = "nginx"
_SPEED = (m.NEW, m.RESUMED, m.KEPT_1, m.KEPT_8, m.KEPT_64, m.KEPT_512, m.PAGE, m.LARGE)
_FEW = (m.NEW, m.KEPT_8, m.PAGE)
_QUICK = (m.NEW, m.RESUMED, m.KEPT_8, m.LARGE)


def _whole(name: str, title: str, *contenders: c.Contender, http2: bool = False, app: str = c.FLASK) -> Comparison:
    return Comparison(
        name=name,
        title=title,
        contenders=contenders,
        application=app,
        measures=(*_SPEED, m.HTTP2) if http2 else _SPEED,
        rsa=(m.NEW_RSA,),
        idle=True,
        starts=True,
    )


def _bottle(name: str, title: str, *contenders: c.Contender) -> Comparison:
    return Comparison(name=name, title=title, contenders=contenders, application=c.BOTTLE, measures=_FEW)


COMPARISONS = (
    _whole("builtin-flask", "Built-in, Flask", c.OUR_FLASK, c.FLASK_RUN),
    _whole("builtin-bottle", "Built-in, Bottle", c.OUR_BUILTIN, c.WSGIREF, app=c.BOTTLE),
    _whole("gunicorn", "gunicorn, threads (gthread)", c.OUR_GTHREAD, c.GTHREAD),
    _whole("gunicorn-sync", "gunicorn, sync", c.OUR_SYNC, c.SYNC),
    _whole("uwsgi", "uWSGI", c.OUR_UWSGI, c.UWSGI_KEPT, c.UWSGI),
    _whole("granian", "Granian", c.OUR_GRANIAN, c.GRANIAN, http2=True),
    _whole("hypercorn", "Hypercorn", c.OUR_HYPERCORN, c.HYPERCORN, http2=True),
    _bottle("gunicorn-bottle", "gunicorn, threads, Bottle", c.OUR_GTHREAD, c.GTHREAD),
    _bottle("uwsgi-bottle", "uWSGI, Bottle", c.OUR_UWSGI, c.UWSGI_KEPT),
    _bottle("granian-bottle", "Granian, Bottle", c.OUR_GRANIAN, c.GRANIAN),
    _bottle("hypercorn-bottle", "Hypercorn, Bottle", c.OUR_HYPERCORN, c.HYPERCORN),
    Comparison(
        name=CEILING,
        title="All of them beside nginx with a static answer",
        contenders=(
            *(c.NGINX, c.OUR_FLASK, c.FLASK_RUN, c.OUR_GTHREAD, c.GTHREAD, c.OUR_UWSGI, c.UWSGI_KEPT),
            *(c.OUR_GRANIAN, c.GRANIAN, c.OUR_HYPERCORN, c.HYPERCORN),
        ),
        measures=(m.NEW, m.RESUMED, m.KEPT_8),
        rsa=(m.NEW_RSA,),
        starts=True,
    ),
)


def quick(comparison: Comparison) -> Comparison | None:
    """The same with little to measure: enough to see that it all still runs; None when others show that as well."""
    if comparison.application == c.BOTTLE and not comparison.idle:
        return None
    first = comparison is COMPARISONS[0]
    return replace(
        comparison.of(comparison.contenders[:1] if comparison.name == CEILING else comparison.contenders),
        measures=tuple(replace(one, seconds=1) for one in (_QUICK if first else (m.KEPT_8,))),
        rsa=tuple(replace(one, seconds=1) for one in comparison.rsa) if first else (),
        idle=first,
        starts=False,
    )
