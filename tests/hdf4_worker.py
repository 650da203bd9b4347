"""What the HDF4 library reads of files, in a process of its own: it may crash.

Arguments are paths; a pickle of {path: (SDS, number of unreadable SDS, images, tables, images of
24 bits as DF24 reads them)} is written to standard output.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def read_elsewhere(paths: Sequence[Path]) -> dict[Path, Any]:
    """Run this module in a new process."""
    command = [sys.executable, __file__, *map(os.fspath, paths)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=100)
    found: dict[Path, Any] = pickle.loads(done.stdout)
    return found


def main() -> None:
    import hdf4_files
    import hdf4_images
    import hdf4_rasters
    import hdf4_tables

    with contextlib.redirect_stdout(sys.stderr):
        found = {
            path: (
                *hdf4_files.values_of(path),
                hdf4_images.image_values(path)[0],
                hdf4_tables.table_values(path),
                hdf4_rasters.images_24(path),
            )
            for path in map(Path, sys.argv[1:])
        }
    sys.stdout.buffer.write(pickle.dumps(found))


if __name__ == "__main__":
    main()
