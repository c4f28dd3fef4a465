"""A line for a log as `logging` would write it, without a record, where nobody could tell the difference.

To make a record, to find out who calls, and to format it takes several times as long as all else that is done for a log
line; with one plain handler nothing of it is seen in the end.
"""

from __future__ import annotations

import logging
from typing import Any

#: What a handler must not do in a way of its own.
_METHODS = ("handle", "filter", "acquire", "release", "emit", "format", "flush", "handleError")


def write(logger: logging.Logger, line: str) -> bool:
    """Write ``line`` at level INFO.

    Returns:
        False, and nothing is written, when that is not for us: it is not wanted, or somebody would look at a record (a
        filter, a formatter, a second handler, a handler of another kind).
    """
    if logger.filters or not logger.isEnabledFor(logging.INFO):
        return False
    if logging.getLogRecordFactory() is not logging.LogRecord:
        return False
    handler = _only_handler(logger)
    if handler is None or handler.formatter is not None or handler.filters or handler.level > logging.INFO:
        return False
    handler.acquire()
    try:
        handler.stream.write(line + handler.terminator)
        handler.flush()
    except Exception:  # noqa: BLE001 -- the handler meets it again, and does with it what it does
        return False
    finally:
        handler.release()
    return True


def _only_handler(logger: logging.Logger) -> logging.StreamHandler[Any] | None:
    """The handler that gets this logger's records, if it is the only one and a plain one."""
    found: logging.Handler | None = None
    at: logging.Logger | None = logger
    while at is not None:
        for handler in at.handlers:
            if found is not None:
                return None
            found = handler
        at = at.parent if at.propagate else None
    return found if isinstance(found, logging.StreamHandler) and _is_plain(found) else None


#: handler class -> whether its methods are `logging.StreamHandler`'s
_kinds: dict[Any, bool] = {}


def _is_plain(handler: logging.Handler) -> bool:
    kind: Any = type(handler)
    if kind not in _kinds:
        _kinds[kind] = all(getattr(kind, name) is getattr(logging.StreamHandler, name) for name in _METHODS)
    return _kinds[kind]
