"""What is known of a file besides its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Size in bytes, entity tag and modification time (timezone-aware, UTC); None where unknown."""

    size: int | None = None
    etag: str | None = None
    last_modified: datetime | None = None
