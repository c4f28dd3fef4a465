"""uWSGI's option ``env``: our variables, of which a Python that was there before uWSGI does not hear by itself.

uWSGI of PyPI runs inside of an interpreter that has read its environment already. ``env = NAME=value`` of an ini file
changes the process's environment, and not ``os.environ``; ``uwsgi.opt`` keeps the last one only.
"""

from __future__ import annotations

import ctypes
import os
import sys

from tlsrun.apps.resolve import VARIABLES
from tlsrun.settings.table import SPECS, environment_variable


def adopt() -> None:
    """Put the variables into ``os.environ``; does nothing outside of uWSGI."""
    if "uwsgi" not in sys.modules:
        return
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    getenv.argtypes = [ctypes.c_char_p]
    for name in (*VARIABLES, *map(environment_variable, SPECS)):
        value = getenv(name.encode())
        if value is not None:
            os.environ[name] = os.fsdecode(value)
