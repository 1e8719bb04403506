"""Files that are whole or absent: written under another name first, checked by a digest."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path


def digest(path: Path) -> str:
    """BLAKE2b of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def write(path: Path, content: bytes) -> None:
    """Write so that a crash leaves the old file or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    temporary.write_bytes(content)
    os.replace(temporary, path)
