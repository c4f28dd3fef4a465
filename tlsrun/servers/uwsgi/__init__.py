"""uWSGI, from pyuwsgi in this process; edges, which are mules of its own, end TLS in front of the workers.

PyPI's wheels are built without SSL, and uWSGI's own SSL tells an application little. So an edge takes the connections,
and speaks the uwsgi protocol to the workers' Unix socket. The master keeps the listening socket open, whatever happens
to an edge.
"""

from __future__ import annotations

from tlsrun.deciding.choosing import ServerFacts
from tlsrun.optional import Here
from tlsrun.servers.server import Server
from tlsrun.servers.uwsgi.mapping import HTTP, MAPPING
from tlsrun.servers.uwsgi.stock import STOCK


def _has_wheel(here: Here) -> bool:
    # pyuwsgi 2.0.30.post1
    served = here.system == "darwin" or (here.system == "linux" and here.machine in ("x86_64", "aarch64"))
    return served and here.python < (3, 15) and not here.free_threaded


def _remark() -> tuple[str, str]:
    from tlsrun.servers.uwsgi.options import has_ssl

    if has_ssl():
        return "uwsgi-ssl", "this uWSGI is built with SSL; tlsrun ends TLS in its edge all the same"
    return (
        "uwsgi-ssl",
        "this uWSGI is built without SSL, as PyPI's wheels are; tlsrun's edge ends TLS in front of it",
    )


SERVER = Server(
    facts=ServerFacts(name="uwsgi", title="uWSGI", mapping=MAPPING, http=HTTP, rank=3),
    package="pyuwsgi",
    stock=STOCK,
    needs=("pyuwsgi",),
    remark=_remark,
    has_wheel=_has_wheel,
    notifies_by_child=True,
    misses_sigterm=True,
)
