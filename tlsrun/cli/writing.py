"""Files that a command writes for a person: never over another one, unless he says so."""

from __future__ import annotations

from pathlib import Path

from tlsrun.errors import ConfigurationError
from tlsrun.files import write_atomic


def write_file(path: Path, data: bytes, *, force: bool, mode: int = 0o644) -> bool:
    """Write ``data``, whole or not at all.

    Arguments:
        force: whether a file with other contents may be there.

    Returns:
        False when the file holds just that already.

    Raises:
        ConfigurationError: another file is there, or it cannot be written.
    """
    try:
        if path.exists():
            if path.read_bytes() == data:
                return False
            if not force:
                raise _refusal(path, "it exists, and holds something else", "Choose another name, or add --force")
        write_atomic(path, data, mode=mode)
    except OSError as error:
        raise _refusal(path, f"it cannot be written: {error.strerror or error}", "Choose another place") from error
    return True


def _refusal(path: Path, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError.of(where=str(path), what=what, remedy=remedy)
