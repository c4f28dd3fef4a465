"""Writing files for the user, without overwriting others unless told to."""

from __future__ import annotations

from pathlib import Path

from tlsrun.errors import ConfigurationError
from tlsrun.files import write_atomic


def write_file(path: Path, data: bytes, *, force: bool) -> bool:
    """Write ``data`` atomically, with mode 0644.

    Arguments:
        force: whether to overwrite a file with other contents.

    Returns:
        False if the file already has these contents.

    Raises:
        ConfigurationError: another file exists, or it cannot be written.
    """
    try:
        if path.exists():
            if path.read_bytes() == data:
                return False
            if not force:
                raise _refusal(path, "it exists, and holds something else", "Choose another name, or add --force")
        write_atomic(path, data, mode=0o644)
    except OSError as error:
        raise _refusal(path, f"it cannot be written: {error.strerror or error}", "Choose another place") from error
    return True


def _refusal(path: Path, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError.of(where=str(path), what=what, remedy=remedy)
