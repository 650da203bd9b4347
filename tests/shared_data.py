"""Where the real files are that tests read in place: `shared/data` beside a folder above us."""

from __future__ import annotations

from pathlib import Path

_CANDIDATES = [above / "shared" / "data" for above in Path(__file__).resolve().parents]
SHARED_DATA = next((folder for folder in _CANDIDATES if folder.is_dir()), _CANDIDATES[-1])


def shared_files(format_name: str) -> list[Path]:
    """Return the real files of a format, sorted; none where they are absent."""
    return sorted(path for path in (SHARED_DATA / format_name).rglob("*") if path.is_file())
