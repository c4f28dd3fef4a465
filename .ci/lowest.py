"""Print the oldest versions that pyproject.toml allows users to have, as constraints for pip.

python .ci/lowest.py pyproject.toml >lowest.txt && pip install -e ".[test]" -c lowest.txt

What only tests and documentation need is left out: nobody runs the product with an old pytest.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    import tomllib
except ModuleNotFoundError:  # before Python 3.11
    from pip._vendor import tomli as tomllib  # type: ignore[import-untyped, no-redef]

OURS = {"test", "docs", "dev"}
#: A name, perhaps with extras; the lowest version; perhaps more bounds; perhaps a marker.
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[[\w,-]+\])?>=(?P<lowest>[\w.]+)(,[^;]+)?(?P<marker>;.+)?")


def lowest(project: dict[str, Any]) -> Iterator[str]:
    """A constraint for each requirement; those upon our own extras say nothing."""
    extras = project["optional-dependencies"]
    for requirement in [
        *project["dependencies"],
        *(one for name in extras if name not in OURS for one in extras[name]),
    ]:
        if requirement.startswith(f"{project['name']}["):
            continue
        found = REQUIREMENT.fullmatch(requirement)
        if found is None:
            sys.exit(f"no lowest version: {requirement}")
        yield f"{found['name']}=={found['lowest']}{found['marker'] or ''}"


print("\n".join(dict.fromkeys(lowest(tomllib.loads(Path(sys.argv[1]).read_text())["project"]))))  # noqa: T201
