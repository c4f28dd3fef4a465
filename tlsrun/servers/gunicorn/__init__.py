"""gunicorn: its own master and workers in this process, TLS by one context from before the fork, and our reactor."""

from __future__ import annotations

from tlsrun.deciding.choosing import ServerFacts
from tlsrun.optional import how_to_install
from tlsrun.servers.gunicorn.mapping import HTTP, MAPPING
from tlsrun.servers.gunicorn.stock import STOCK
from tlsrun.servers.server import Server

#: The first version whose workers are made as ours need them. What its parser lets through that 27's refuses, we refuse
#: (`tlsrun.servers.gunicorn.older`).
_OLDEST = 25


def _unfit(version: str) -> tuple[str, str] | None:
    major = version.partition(".")[0]
    if not major.isdigit() or int(major) >= _OLDEST:
        return None
    return (
        f"it is version {version}, whose workers are made otherwise than ours need them, from {_OLDEST} on",
        f"{how_to_install('gunicorn')}; or have it serve by its own command, which does TLS too, in its own way: "
        "`tlsrun export gunicorn-conf APP -o gunicorn.conf.py` and `gunicorn -c gunicorn.conf.py`; or `gunicorn "
        "--certfile CERT --keyfile KEY MODULE:application`",
    )


SERVER = Server(
    facts=ServerFacts(name="gunicorn", title="gunicorn", mapping=MAPPING, http=HTTP, rank=2, serves_plain=True),
    package="gunicorn",
    stock=STOCK,
    unfit=_unfit,
)
