"""What the short matrix runs with: this interpreter, its OpenSSL, and the servers that are installed for it.

python .ci/installed.py name          3.14.1, or 3.14.1t where it runs without the interpreter's lock
python .ci/installed.py missing       the servers that are not installed: uwsgi,granian
python .ci/installed.py head          the head of the table
python .ci/installed.py row VERDICT   its line for this interpreter
"""

import ssl
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version

SERVERS = {"gunicorn": "gunicorn", "uwsgi": "pyuwsgi", "granian": "granian", "hypercorn": "hypercorn"}
OTHERS = ("flask", "bottle", "click", "cryptography")


def installed(distribution: str) -> str:
    """Its version, or a dash."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "–"


def name() -> str:
    """As `.ci/pythons` says it."""
    return sys.version.split()[0] + ("t" if sysconfig.get_config_var("Py_GIL_DISABLED") else "")


def line(cells: list[str]) -> str:
    """A line of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def main(what: str, verdict: str = "") -> str:
    """What is asked for, as text."""
    if what == "name":
        return name()
    if what == "missing":
        return ",".join(server for server, package in SERVERS.items() if installed(package) == "–")
    packages = [*SERVERS.values(), *OTHERS]
    if what == "head":
        titles = ["Python", "OpenSSL", *packages, "short matrix"]
        return "\n".join([line(titles), line(["---"] * len(titles))])
    return line([name(), ssl.OPENSSL_VERSION.split()[1], *map(installed, packages), verdict])


print(main(*sys.argv[1:]))  # noqa: T201 -- what shell scripts read
