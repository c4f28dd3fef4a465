"""Runs several commands one after the other in one interpreter, for its start takes longer than they do.

``python -m tests.systems.each JSON``: a list of command lines; writes a list of [exit code, output, errors].
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback

from flask.cli import main as flask

from tlsrun.cli import main as tlsrun

_PROGRAMS = {"flask": flask, "tlsrun": tlsrun}


def run(words: list[str]) -> tuple[int, str, str]:
    """One command."""
    out, err = io.StringIO(), io.StringIO()
    sys.argv = words
    code: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            _PROGRAMS[words[0]]()
        except SystemExit as end:
            code = end.code or 0
        except Exception:
            traceback.print_exc()
            code = 1
    return int(str(code)), out.getvalue(), err.getvalue()


if __name__ == "__main__":
    json.dump([run(command.split()) for command in json.loads(sys.argv[1])], sys.stdout)
