"""Files that are whole or not there."""
from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ..._errors import MachineError


def replace_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file under a temporary name, makes it durable, and puts it in place."""
    target = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), 0o644)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise MachineError(f"{target} cannot be written: {error.strerror}") from None
