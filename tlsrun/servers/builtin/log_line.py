"""Writes a log line like `logging` would, but without a LogRecord, if nobody can tell the difference.

Creating a record, finding the caller and formatting take several times as long as everything else about a log line;
with a single plain handler the output is the same.
"""

from __future__ import annotations

import logging
from typing import Any

#: Methods that a handler must not override.
_METHODS = ("handle", "filter", "acquire", "release", "emit", "format", "flush", "handleError")


def write(logger: logging.Logger, line: str) -> bool:
    """Write ``line`` at level INFO.

    Returns:
        False, without having written it, if the level is disabled or a record is needed (for a filter, a formatter, a
        second handler, or another kind of handler).
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
    except Exception:  # noqa: BLE001 -- logging itself will meet and handle it
        return False
    finally:
        handler.release()
    return True


def _only_handler(logger: logging.Logger) -> logging.StreamHandler[Any] | None:
    """The handler of this logger's records, if there is only one and it is plain."""
    found: logging.Handler | None = None
    at: logging.Logger | None = logger
    while at is not None:
        for handler in at.handlers:
            if found is not None:
                return None
            found = handler
        at = at.parent if at.propagate else None
    return found if isinstance(found, logging.StreamHandler) and _is_plain(found) else None


#: Handler class -> whether its methods are those of `logging.StreamHandler`.
_kinds: dict[Any, bool] = {}


def _is_plain(handler: logging.Handler) -> bool:
    kind: Any = type(handler)
    if kind not in _kinds:
        _kinds[kind] = all(getattr(kind, name) is getattr(logging.StreamHandler, name) for name in _METHODS)
    return _kinds[kind]
